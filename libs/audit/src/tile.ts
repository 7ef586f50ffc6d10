import { assert, VarveError } from '#core/error';
import { type Hash, hashBytes, nodeHash, type Subtree } from './merkle.js';

/** Hashes in a full tile, and entries in a full bundle. @see C2SP tlog-tiles */
export const tileWidth = 256;
const tileHeight = 8;

/** One stored piece of a tree: `width` hashes of level `level · 8`, or as many entries. */
export interface TileAddress {
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 256; 256 is a full tile and never changes. */
  readonly width: number;
}

/** `tile/<level>/<index>[.p/<width>]`: the index in groups of three digits, all but the last with an `x`. */
export function tilePath({ level, index, width }: TileAddress): string {
  const groups = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  return `tile/${level}/${groups.join('/')}${width === tileWidth ? '' : `.p/${width}`}`;
}

/** @throws REQUEST_INVALID when the text is not the one path of a tile */
export function parseTilePath(path: string): TileAddress {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path);
  if (match) {
    const [, level = '', groups = '', width] = match;
    const address = {
      level: level === 'entries' ? ('entries' as const) : Number(level),
      index: Number(groups.replaceAll(/[x/]/g, '')),
      width: width === undefined ? tileWidth : Number(width),
    };
    if (address.width >= 1 && tilePath(address) === path) return address;
  }
  throw new VarveError('REQUEST_INVALID', `"${path}" is not a tile: expected tile/LEVEL/INDEX[.p/WIDTH]`, { path });
}

/** The tile that holds a complete subtree, and where in its hashes. */
export function tileOf({ level, index }: Subtree): {
  readonly level: number;
  readonly index: number;
  readonly first: number;
  readonly count: number;
} {
  const tileLevel = Math.floor(level / tileHeight);
  const count = 2 ** (level - tileLevel * tileHeight);
  const first = index * count;
  return { level: tileLevel, index: Math.floor(first / tileWidth), first: first % tileWidth, count };
}

/** The hash of a subtree whose `count` (a power of two) lowest hashes within one tile are given. */
export function foldHashes(hashes: readonly Hash[]): Hash {
  let row = hashes;
  while (row.length > 1) row = pairs(row);
  const [top] = row;
  assert(top !== undefined, 'a subtree has at least one hash');
  return top;
}

function pairs(row: readonly Hash[]): Hash[] {
  const up: Hash[] = [];
  for (let at = 0; at < row.length; at += 2) up.push(nodeHash(row[at] as Hash, row[at + 1] as Hash));
  return up;
}

/** The bytes of a tile of hashes. */
export function encodeHashes(hashes: readonly Hash[]): Uint8Array {
  return Buffer.from(hashes.join(''), 'latin1');
}

export function decodeHashes(bytes: Uint8Array): Hash[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return Array.from(
    { length: bytes.length / hashBytes },
    (_, i) => text.slice(i * hashBytes, (i + 1) * hashBytes) as Hash,
  );
}

/** The bytes of an entry bundle: each entry after its length, two bytes, big-endian. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}
