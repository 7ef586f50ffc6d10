import { VarveError } from './error.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The one text of a JSON value: keys sorted by UTF-16 code units, no white space, ECMAScript numbers and strings.
 * Refuses what could be read two ways: unsafe integers, fractions, lone surrogates, undefined.
 * @throws COMMIT_INVALID
 * @see RFC 8785
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) {
      throw new VarveError('COMMIT_INVALID', `${value} is not a safe integer`, { value: String(value) });
    }
    return JSON.stringify(value);
  }
  if (typeof value === 'string') return canonicalString(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = value as { readonly [key: string]: Json };
    const keys = Object.keys(members).toSorted(byCodeUnits);
    return `{${keys.map((key) => `${canonicalString(key)}:${canonicalJson(members[key] as Json)}`).join(',')}}`;
  }
  throw new VarveError('COMMIT_INVALID', `${typeof value} is not JSON`);
}

/**
 * Whether `text` is the canonical text of `value`, which it was parsed to. The engine's own writer is many times as
 * fast and differs in two things alone: it keeps the order of keys, and it escapes lone surrogates instead of refusing.
 * @throws COMMIT_INVALID
 */
export function isCanonicalText(text: string, value: Json): boolean {
  const isSame = isInOrder(value) && !text.includes('\\ud');
  return text === (isSame ? JSON.stringify(value) : canonicalJson(value));
}

function isInOrder(value: Json): boolean {
  if (value === null || typeof value !== 'object') return typeof value !== 'number' || Number.isSafeInteger(value);
  if (Array.isArray(value)) return value.every(isInOrder);
  const members = value as { readonly [key: string]: Json };
  let last: string | undefined;
  for (const key of Object.keys(members)) {
    if ((last !== undefined && last >= key) || !isInOrder(members[key] as Json)) return false;
    last = key;
  }
  return true;
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) {
    throw new VarveError('COMMIT_INVALID', 'text has a lone surrogate and no UTF-8 form', {
      text: text.toWellFormed(),
    });
  }
  return JSON.stringify(text);
}

/** `<` on strings compares UTF-16 code units, which is RFC 8785's order; `localeCompare` is not. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
