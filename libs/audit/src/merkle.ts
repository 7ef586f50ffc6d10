import { hash } from 'node:crypto';

/**
 * A SHA-256 as 32 characters, one a byte (latin1). Hashing into a string costs a fraction of hashing into a buffer, and
 * a string can be compared, kept and used as a key as it is.
 */
export type Hash = string & { readonly __brand: 'Hash' };

export const hashBytes = 32;

/** The leaf of an entry: SHA-256(0x00 ‖ entry). @see RFC 6962 2.1, RFC 9162 2.1.1 */
export function leafHash(entry: Uint8Array): Hash {
  const input = Buffer.allocUnsafe(entry.length + 1);
  input[0] = 0;
  input.set(entry, 1);
  return hash('sha256', input, 'binary') as Hash;
}

export interface Leaf {
  readonly entry: Uint8Array;
  readonly hash: Hash;
}

/**
 * Leaves of entries that are ASCII text. All stand in one buffer, each behind its zero, and are hashed where they stand:
 * a buffer for each would cost as much as its hash.
 */
export function leavesOfTexts(entries: readonly string[]): Leaf[] {
  const bytes = Buffer.from(`\0${entries.join('\0')}`, 'latin1');
  let at = 0;
  return entries.map(({ length }) => {
    const input = bytes.subarray(at, (at += 1 + length));
    return { entry: input.subarray(1), hash: hash('sha256', input, 'binary') as Hash };
  });
}

const node = Buffer.alloc(1 + 2 * hashBytes);
node[0] = 1;

/** The parent of two subtrees: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Hash, right: Hash): Hash {
  node.write(left, 1, hashBytes, 'latin1');
  node.write(right, 1 + hashBytes, hashBytes, 'latin1');
  return hash('sha256', node, 'binary') as Hash;
}

/** The root of a tree without leaves: SHA-256 of nothing. */
export const emptyRoot = hash('sha256', '', 'binary') as Hash;

/** A complete subtree: the leaves from `index · 2^level` on, `2^level` of them. */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** Looks up the hashes of complete subtrees that lie within the tree, in the order asked for. */
export type ReadHashes = (subtrees: readonly Subtree[]) => Promise<readonly Hash[]>;

/** The root over the first `size` leaves. */
export async function rootOf(size: number, read: ReadHashes): Promise<Hash> {
  return size === 0 ? emptyRoot : joined(await read(cover(0, size)));
}

/** The hashes beside the way from leaf `index` up to the root over `size` leaves, lowest first. @see RFC 9162 2.1.3.1 */
export async function inclusionProof(index: number, size: number, read: ReadHashes): Promise<Hash[]> {
  return readRanges(besideLeaf(index, 0, size), read);
}

/** What shows that the tree of `from` leaves is the beginning of the one of `to`; 0 < from ≤ to. @see RFC 9162 2.1.4.1 */
export async function consistencyProof(from: number, to: number, read: ReadHashes): Promise<Hash[]> {
  return from === to ? [] : readRanges(besideOld(from, 0, to, true), read);
}

/** The leaves from `start` to before `end`. */
type Range = readonly [start: number, end: number];

function besideLeaf(index: number, start: number, end: number): Range[] {
  if (end - start === 1) return [];
  const middle = start + split(end - start);
  return index < middle
    ? [...besideLeaf(index, start, middle), [middle, end]]
    : [...besideLeaf(index, middle, end), [start, middle]];
}

/** `isWhole`: the old tree is exactly what the verifier has the root of already. */
function besideOld(old: number, start: number, end: number, isWhole: boolean): Range[] {
  if (old === end) return isWhole ? [] : [[start, end]];
  const middle = start + split(end - start);
  return old <= middle
    ? [...besideOld(old, start, middle, isWhole), [middle, end]]
    : [...besideOld(old, middle, end, false), [start, middle]];
}

async function readRanges(ranges: readonly Range[], read: ReadHashes): Promise<Hash[]> {
  const covers = ranges.map(([start, end]) => cover(start, end));
  const hashes = await read(covers.flat());
  let at = 0;
  return covers.map(({ length }) => joined(hashes.slice(at, (at += length))));
}

/** The complete subtrees that make up the leaves [start, end), largest first. `start` is where a subtree begins. */
function cover(start: number, end: number): Subtree[] {
  const subtrees: Subtree[] = [];
  for (let at = start; at < end;) {
    const level = Math.floor(Math.log2(end - at));
    subtrees.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return subtrees;
}

function joined(hashes: readonly Hash[]): Hash {
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** The largest power of two below `count`; `count` is 2 or more. */
function split(count: number): number {
  return 2 ** Math.ceil(Math.log2(count) - 1);
}

/** Whether `proof` leads from the leaf at `index` to the root over `size` leaves. @see RFC 9162 2.1.3.2 */
export function isIncluded(
  {
    leaf,
    index,
    size,
    root,
  }: { readonly leaf: Hash; readonly index: number; readonly size: number; readonly root: Hash },
  proof: readonly Hash[],
): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  let [at, last] = [index, size - 1];
  let up = leaf;
  for (const beside of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      up = nodeHash(beside, up);
      while (at % 2 === 0 && at > 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      up = nodeHash(up, beside);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && up === root;
}

/** A tree by how many leaves it has and their root. */
export interface TreeHead {
  readonly size: number;
  readonly root: Hash;
}

/** Whether `proof` shows that `old` is the beginning of `young`. The empty tree is the beginning of all. @see RFC 9162 2.1.4.2 */
export function isConsistent(old: TreeHead, young: TreeHead, proof: readonly Hash[]): boolean {
  if (!isCount(old.size) || !isCount(young.size) || old.size > young.size) return false;
  if (old.size === young.size) return proof.length === 0 && old.root === young.root;
  if (old.size === 0) return proof.length === 0 && old.root === emptyRoot;
  let [at, last] = [old.size - 1, young.size - 1];
  while (at % 2 === 1) [at, last] = [(at - 1) / 2, Math.floor(last / 2)];
  const hashes = at === 0 ? [old.root, ...proof] : [...proof];
  const first = hashes.shift();
  if (first === undefined) return false;
  let [oldUp, youngUp] = [first, first];
  for (const beside of hashes) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      [oldUp, youngUp] = [nodeHash(beside, oldUp), nodeHash(beside, youngUp)];
      while (at % 2 === 0 && at > 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      youngUp = nodeHash(youngUp, beside);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 && oldUp === old.root && youngUp === young.root;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function toBase64(value: Hash): string {
  return btoa(value);
}

/** Undefined when it is not the one base64 text of 32 bytes. */
export function hashFromBase64(text: string): Hash | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== hashBytes || bytes.toString('base64') !== text) return undefined;
  return bytes.toString('latin1') as Hash;
}
