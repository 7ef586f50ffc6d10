import type { CommitId } from '#core/commit';
import { branchRef, parseRepositoryName } from '#core/name';
import { decodeMapPath, encodeMapPath, findKey, type MapPath, proofOf, writeKey } from './map-path.js';
import type { Hash } from './merkle.js';
import {
  bitOf,
  mapLeafHash,
  type MapLeaf,
  mapNodeHash,
  nothing,
  provenValue,
  refKey,
  refValueHash,
} from './state-map.js';

const repo = parseRepositoryName('team/app');
const keyOf = (n: number) => refKey(repo, branchRef(`b${n}`));
const valueOf = (version: number) => ({ commit: String(version).padStart(64, '0') as CommitId, version });

/** The map by its definition: a subtree with one key is its leaf. */
function naiveRoot(leaves: readonly MapLeaf[], depth = 0): Hash {
  const [only] = leaves;
  if (!only) return nothing;
  if (leaves.length === 1) return mapLeafHash(only);
  const [zeros, ones] = [0, 1].map((bit) =>
    naiveRoot(
      leaves.filter(({ key }) => bitOf(key, depth) === bit),
      depth + 1,
    ),
  ) as [Hash, Hash];
  return mapNodeHash(zeros, ones, '\0'.repeat(32) as Hash, depth);
}

/** Paths as they are stored and read again. */
class Moves {
  readonly paths: Uint8Array[] = [];
  readonly held = new Map<Hash, Hash>();
  readonly read = async (move: number): Promise<MapPath> => decodeMapPath(this.paths[move] as Uint8Array);

  set(n: number): Hash {
    const value = valueOf(this.paths.length + 1);
    const leaf = { key: keyOf(n), value: refValueHash(value) };
    const path = writeKey({ leaf, value, offset: this.paths.length }, this.paths.length - 1, (move) =>
      decodeMapPath(this.paths[move]!),
    ) as MapPath;
    this.paths.push(encodeMapPath(path));
    this.held.set(leaf.key, leaf.value);
    return path.own[0] as Hash;
  }

  get leaves(): MapLeaf[] {
    return [...this.held].map(([key, value]) => ({ key, value }));
  }
}

describe('the map of refs', () => {
  it('has the root that its definition gives, after any moves in any order', async () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    for (const keys of [1, 2, 3, 40, 300]) {
      const moves = new Moves();
      for (let i = 0; i < 2 * keys; i += 1) expect(moves.set(random(keys))).toBe(naiveRoot(moves.leaves));
    }
  });

  it('shows what it held and what it did not, as it was after every move', async () => {
    const moves = new Moves();
    const states: { root: Hash; held: Map<Hash, Hash> }[] = [{ root: nothing, held: new Map() }];
    for (const n of [1, 2, 3, 1, 4, 5, 2, 6, 7, 8, 1]) states.push({ root: moves.set(n), held: new Map(moves.held) });

    for (const [i, { root, held }] of states.entries()) {
      for (let n = 0; n < 12; n += 1) {
        const found = await findKey(keyOf(n), i - 1, moves.read);
        expect(provenValue(root, keyOf(n), proofOf(found, keyOf(n)))).toBe(held.get(keyOf(n)) ?? null);
        for (const other of states.filter((state) => state.root !== root)) {
          expect(provenValue(other.root, keyOf(n), proofOf(found, keyOf(n)))).toBeUndefined();
        }
      }
    }
  });

  it('does not take the end of another way for that of a key', async () => {
    const moves = new Moves();
    for (let n = 0; n < 30; n += 1) moves.set(n);
    const root = naiveRoot(moves.leaves);
    const proof = proofOf(await findKey(keyOf(3), 29, moves.read), keyOf(3));

    for (let n = 0; n < 60; n += 1)
      if (n !== 3) expect(provenValue(root, keyOf(n), proof) ?? undefined).toBeUndefined();
    expect(provenValue(root, keyOf(3), { ...proof, end: null })).toBeUndefined();
    expect(provenValue(root, keyOf(3), { ...proof, beside: proof.beside.slice(1) })).toBeUndefined();
  });

  it('says which move set a key', async () => {
    const moves = new Moves();
    for (const n of [1, 2, 1, 3]) moves.set(n);

    expect(proofOf(await findKey(keyOf(1), 3, moves.read), keyOf(1)).setBy).toMatchObject({
      offset: 2,
      value: valueOf(3),
    });
  });

  it('refuses a stored path that is damaged', () => {
    expect(() => decodeMapPath(Buffer.alloc(20))).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
  });
});
