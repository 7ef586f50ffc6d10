import { hash } from 'node:crypto';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { type Hash, hashBytes } from './merkle.js';

/**
 * A Merkle map: a binary tree over the bits of hashed keys, in which a subtree with one key is that key's leaf and one
 * without any is 32 zero bytes. So its root is a function of what it holds and not of how that came about, a path is as
 * long as the logarithm of the number of keys, and whatever stands at the end of the one path of a key shows what the
 * key has, or that it has nothing.
 */

/** The hash of a subtree without keys, and the root of a map without any. */
export const nothing = '\0'.repeat(hashBytes) as Hash;

/** Where the path of a key ends: at a leaf, of this key or of another, or at nothing. */
export interface MapLeaf {
  readonly key: Hash;
  readonly value: Hash;
}

/** What a root says of one key. `beside` are the hashes next to the path, from the root down. */
export interface MapProof {
  readonly beside: readonly Hash[];
  readonly end: MapLeaf | null;
}

/** The key of a ref. */
export function refKey(repo: RepositoryName, ref: RefName): Hash {
  return hash('sha256', JSON.stringify([repo, ref]), 'binary') as Hash;
}

/** What a ref holds, as the map holds it; a deleted ref keeps its version. */
export function refValueHash({ commit, version }: RefValue): Hash {
  // RFC 8785, written out because every move has one: two keys in order, and no text that needs escapes.
  return hash(
    'sha256',
    `{"commit":${commit === null ? 'null' : `"${commit}"`},"version":${version}}`,
    'binary',
  ) as Hash;
}

const pair = Buffer.alloc(1 + 2 * hashBytes);

/** Other first bytes than those of the log's tree: nothing of one can pass for something of the other. */
function hashPair(tag: number, left: Hash, right: Hash): Hash {
  pair[0] = tag;
  pair.write(left, 1, hashBytes, 'latin1');
  pair.write(right, 1 + hashBytes, hashBytes, 'latin1');
  return hash('sha256', pair, 'binary') as Hash;
}

export function mapLeafHash({ key, value }: MapLeaf): Hash {
  return hashPair(2, key, value);
}

/** The parent of the on-path child `own` and the one beside it, `depth` bits below the root. */
export function mapNodeHash(own: Hash, beside: Hash, key: Hash, depth: number): Hash {
  return bitOf(key, depth) ? hashPair(3, beside, own) : hashPair(3, own, beside);
}

/** Bit `depth` of a key, the highest of its first byte first. */
export function bitOf(key: Hash, depth: number): number {
  return (key.charCodeAt(depth >> 3) >> (7 - (depth & 7))) & 1;
}

/**
 * What `root` says of the key: its value, `null` when the map has no such key, undefined when the proof does not show
 * either.
 */
export function provenValue(root: Hash, key: Hash, { beside, end }: MapProof): Hash | null | undefined {
  if (beside.length > 8 * hashBytes) return undefined;
  if (end && !sharesBits(end.key, key, beside.length)) return undefined;
  // Compact form: above one key alone there is no node, so nobody can show a longer path than there is.
  if (beside.at(-1) === nothing && end === null) return undefined;
  let up = end === null ? nothing : mapLeafHash(end);
  for (let depth = beside.length - 1; depth >= 0; depth -= 1) up = mapNodeHash(up, beside[depth] as Hash, key, depth);
  if (up !== root) return undefined;
  return end?.key === key ? end.value : null;
}

function sharesBits(a: Hash, b: Hash, count: number): boolean {
  for (let depth = 0; depth < count; depth += 1) if (bitOf(a, depth) !== bitOf(b, depth)) return false;
  return true;
}
