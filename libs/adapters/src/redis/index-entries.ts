import type { AliasKind } from '#core/graph-row';
import { aliasEntryBytes, aliasKinds, idEntryBytes } from './graph-keys.js';

/** The buckets that may hold names with these first hex digits, in the order of the names: few of the first entries, many of later ones. */
export function bucketsOf(hexPrefix: string): readonly (readonly string[])[] {
  const few = hexPrefix === '' ? hexDigits : [hexPrefix.slice(0, 1)];
  return few.map((first) => {
    const known = hexPrefix.slice(0, 3);
    const missing = 3 - Math.max(known.length, 1);
    return [first, ...extended(known === '' ? first : known, missing)];
  });
}

const hexDigits: readonly string[] = Array.from({ length: 16 }, (_, digit) => digit.toString(16));

function extended(start: string, digits: number): string[] {
  if (digits <= 0) return [start];
  return hexDigits.flatMap((digit) => extended(start + digit, digits - 1));
}

/** The first four bytes of an id, which are all an entry knows of it, and the commit's number. */
export interface IdEntry {
  readonly start: number;
  readonly seq: number;
}

/** The entries whose id may start with the digits. */
export function idEntries(entries: Buffer, hexPrefix: string): IdEntry[] {
  const { low, high } = rangeOf(hexPrefix);
  const found: IdEntry[] = [];
  for (let at = 0; at + idEntryBytes <= entries.length; at += idEntryBytes) {
    const start = entries.readUInt32BE(at);
    if (start >= low && start <= high) found.push({ start, seq: entries.readUInt32BE(at + 4) });
  }
  return found;
}

/** The least entries, so many of them and those that begin like the last of these. */
export function leastEntries(entries: readonly IdEntry[], count: number): IdEntry[] {
  const sorted = entries.toSorted((a, b) => a.start - b.start);
  const last = sorted[count - 1];
  return last ? sorted.filter(({ start }) => start <= last.start) : sorted;
}

export interface AliasEntry {
  readonly kind: AliasKind;
  readonly seq: number;
}

export function aliasEntries(entries: Buffer, hexPrefix: string, kinds: readonly AliasKind[]): AliasEntry[] {
  const { low, high } = rangeOf(hexPrefix);
  const found: AliasEntry[] = [];
  for (let at = 0; at + aliasEntryBytes <= entries.length; at += aliasEntryBytes) {
    const start = entries.readUInt32BE(at);
    const kind = aliasKinds[entries.readUInt8(at + 4)] as AliasKind;
    if (start >= low && start <= high && kinds.includes(kind)) found.push({ kind, seq: entries.readUInt32BE(at + 5) });
  }
  return found;
}

/** The first four bytes of the least and the greatest name with these first digits. */
function rangeOf(hexPrefix: string): { readonly low: number; readonly high: number } {
  const digits = hexPrefix.slice(0, 8);
  return { low: Number.parseInt(digits.padEnd(8, '0'), 16), high: Number.parseInt(digits.padEnd(8, 'f'), 16) };
}
