import { createHash } from 'node:crypto';

/**
 * Tells one request from another under the same idempotency key: sha256 (hex) of its parts, each before its length,
 * so that no two lists of parts run together. Undefined parts count as absent, not as empty.
 */
export function requestDigest(parts: Readonly<Record<string, unknown>>): string {
  const hash = createHash('sha256');
  for (const [name, value] of Object.entries(parts).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === undefined) continue;
    for (const text of [name, typeof value === 'string' ? value : JSON.stringify(value)]) {
      hash.update(`${Buffer.byteLength(text)}:`).update(text);
    }
  }
  return hash.digest('hex');
}
