import { assert, VarveError } from '#core/error';
import type { RefValue } from '#core/ref';
import { type Hash, hashBytes } from './merkle.js';
import { bitOf, type MapLeaf, mapLeafHash, mapNodeHash, type MapProof, nothing } from './state-map.js';

/**
 * What one move of a ref wrote into the map: the nodes from its leaf up to the root. Of the nodes beside it stands the
 * hash, and which earlier move wrote them last. So the map as it was after any move can be walked, from that move's
 * path to those of earlier ones, and a move costs one row, whose length is the depth of the map.
 */
export interface MapPath {
  readonly leaf: MapLeaf;
  readonly value: RefValue;
  /** The record that moved the ref. */
  readonly offset: number;
  /** From the root down. */
  readonly beside: readonly Beside[];
  /** Hashes of the path's own nodes: the root first, the leaf last. */
  readonly own: readonly Hash[];
}

interface Beside {
  readonly hash: Hash;
  /** The move that wrote it; -1 when there is nothing. */
  readonly writer: number;
}

/** What a move sets in the map. */
export type NewLeaf = Pick<MapPath, 'leaf' | 'value' | 'offset'>;

/** The path of a move; computes its nodes. */
export function newMapPath({ leaf, value, offset }: NewLeaf, beside: readonly Beside[]): MapPath {
  const own: Hash[] = [];
  let up = mapLeafHash(leaf);
  own[beside.length] = up;
  for (let depth = beside.length - 1; depth >= 0; depth -= 1) {
    up = mapNodeHash(up, (beside[depth] as Beside).hash, leaf.key, depth);
    own[depth] = up;
  }
  return { leaf, value, offset, beside, own };
}

/** Looks up the path that a move wrote. */
export type ReadPath = (move: number) => Promise<MapPath>;

/** Where a key stands in the map as it was after `last`; -1 is the empty map. */
export interface Found {
  readonly beside: readonly Beside[];
  /** The move at whose leaf the way ends; undefined where it ends at nothing. */
  readonly end: { readonly path: MapPath; readonly move: number } | undefined;
}

/** The path that a move wrote, if it is at hand. */
export type KnownPath = (move: number) => MapPath | undefined;

/** Walks down from the root, and reads what it passes. */
export async function findKey(key: Hash, last: number, read: ReadPath): Promise<Found> {
  const known = new Map<number, MapPath>();
  for (;;) {
    const found = findKnownKey(key, last, (move) => known.get(move));
    if (typeof found !== 'number') return found;
    known.set(found, await read(found));
  }
}

/**
 * The same as far as paths are at hand; a number is the move whose path is needed to go on. Every step to another path is
 * to one that an earlier move wrote, so it ends.
 */
function findKnownKey(key: Hash, last: number, known: KnownPath): Found | number {
  const beside: Beside[] = [];
  for (let move = last; move >= 0;) {
    const path = known(move);
    if (!path) return move;
    const { leaf } = path;
    while (beside.length < path.beside.length && bitOf(key, beside.length) === bitOf(leaf.key, beside.length)) {
      beside.push(path.beside[beside.length] as Beside);
    }
    const depth = beside.length;
    // A leaf may have gone deeper since its path was written: then the way comes in below the path's end.
    if (depth >= path.beside.length) return { beside, end: { path, move } };
    beside.push({ hash: path.own[depth + 1] as Hash, writer: move });
    move = (path.beside[depth] as Beside).writer;
  }
  return { beside, end: undefined };
}

/** The path of the next move, which sets a key; or the move whose path is needed first. */
export function writeKey(set: NewLeaf, last: number, known: KnownPath): MapPath | number {
  const found = findKnownKey(set.leaf.key, last, known);
  if (typeof found === 'number') return found;
  const { beside, end } = found;
  if (!end || end.path.leaf.key === set.leaf.key) return newMapPath(set, beside);
  // Two keys where there was one: both go down to where they part.
  const other = end.path.leaf;
  const deeper = [...beside];
  while (bitOf(other.key, deeper.length) === bitOf(set.leaf.key, deeper.length))
    deeper.push({ hash: nothing, writer: -1 });
  return newMapPath(set, [...deeper, { hash: mapLeafHash(other), writer: end.move }]);
}

/** What the map says of a key, with its proof, and the record that set it. */
export function proofOf({ beside, end }: Found, key: Hash): MapProof & { readonly setBy: MapPath | undefined } {
  const proof = { beside: beside.map(({ hash }) => hash), end: end?.path.leaf ?? null };
  return { ...proof, setBy: end?.path.leaf.key === key ? end.path : undefined };
}

const headBytes = 2 * hashBytes + 8 + 2;
const besideBytes = hashBytes + 8;

export function encodeMapPath({ leaf, value, offset, beside }: MapPath): Uint8Array {
  // As JSON: every move has one, and nothing in it needs an escape.
  const text = value.commit === null ? `[null,${value.version}]` : `["${value.commit}",${value.version}]`;
  const bytes = Buffer.allocUnsafe(headBytes + besideBytes * beside.length + text.length);
  bytes.write(leaf.key, 0, 'latin1');
  bytes.write(leaf.value, hashBytes, 'latin1');
  bytes.writeDoubleBE(offset, 2 * hashBytes);
  bytes.writeUInt16BE(beside.length, 2 * hashBytes + 8);
  let at = headBytes;
  for (const { hash, writer } of beside) {
    bytes.write(hash, at, 'latin1');
    bytes.writeDoubleBE(writer, at + hashBytes);
    at += besideBytes;
  }
  bytes.write(text, at, 'latin1');
  return bytes;
}

/** @throws CORRUPT when the bytes are not those of a path */
export function decodeMapPath(stored: Uint8Array): MapPath {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  try {
    const text = bytes.toString('latin1');
    const count = bytes.readUInt16BE(2 * hashBytes + 8);
    const beside = Array.from({ length: count }, (_, i) => {
      const at = headBytes + i * besideBytes;
      return { hash: text.slice(at, at + hashBytes) as Hash, writer: bytes.readDoubleBE(at + hashBytes) };
    });
    const [commit, version] = JSON.parse(text.slice(headBytes + count * besideBytes)) as [RefValue['commit'], number];
    assert(Number.isSafeInteger(version), 'a version is a count');
    const leaf = { key: text.slice(0, hashBytes) as Hash, value: text.slice(hashBytes, 2 * hashBytes) as Hash };
    return newMapPath({ leaf, value: { commit, version }, offset: bytes.readDoubleBE(2 * hashBytes) }, beside);
  } catch (cause) {
    throw new VarveError(
      'CORRUPT',
      'a stored path of the audit map is damaged: delete the audit trees, keep the checkpoints',
      {},
      { cause },
    );
  }
}
