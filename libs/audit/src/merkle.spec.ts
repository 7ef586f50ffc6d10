import { hash } from 'node:crypto';
import {
  consistencyProof,
  emptyRoot,
  type Hash,
  inclusionProof,
  isConsistent,
  isIncluded,
  leafHash,
  nodeHash,
  type ReadHashes,
  rootOf,
} from './merkle.js';

const hex = (value: Hash) => Buffer.from(value, 'latin1').toString('hex');

/** The inputs and answers that implementations of RFC 6962 are commonly checked with. */
const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  (text) => Buffer.from(text, 'hex'),
);
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const leaves = inputs.map(leafHash);
const read = reading(leaves);

/** A tree by its definition: every subtree hashed from its leaves. */
function reading(all: readonly Hash[]): ReadHashes {
  const subtree = (level: number, index: number): Hash =>
    level === 0 ? (all[index] as Hash) : nodeHash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
  return async (subtrees) => subtrees.map(({ level, index }) => subtree(level, index));
}

function naiveRoot(all: readonly Hash[]): Hash {
  if (all.length <= 1) return all[0] ?? emptyRoot;
  let half = 1;
  while (half * 2 < all.length) half *= 2;
  return nodeHash(naiveRoot(all.slice(0, half)), naiveRoot(all.slice(half)));
}

describe('the tree of RFC 6962', () => {
  it('has the root of nothing, the hash of nothing', async () => {
    expect(hex(await rootOf(0, read))).toBe(hash('sha256', ''));
    expect(hex(emptyRoot)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it.each(roots.map((root, i) => [i + 1, root]))('has the known root over %i leaves', async (size, root) => {
    expect(hex(await rootOf(size, read))).toBe(root);
  });

  it.each([
    [0, 1, []],
    [
      0,
      8,
      [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    ],
    [
      5,
      8,
      [
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    ],
    [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
    [
      1,
      5,
      [
        '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    ],
  ])('proves leaf %i of %i by the known hashes', async (index, size, expected) => {
    expect((await inclusionProof(index, size, read)).map(hex)).toEqual(expected);
  });

  it.each([
    [1, 1, []],
    [
      1,
      8,
      [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    ],
    [
      6,
      8,
      [
        '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    ],
    [
      2,
      5,
      [
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    ],
  ])('proves that %i leaves begin %i by the known hashes', async (from, to, expected) => {
    expect((await consistencyProof(from, to, read)).map(hex)).toEqual(expected);
  });
});

describe('proofs', () => {
  const many = Array.from({ length: 70 }, (_, i) => leafHash(Buffer.from([i])));
  const readMany = reading(many);

  it('hold for every leaf of every tree, and for no other leaf, place, size or root', async () => {
    for (let size = 1; size <= many.length; size += 1) {
      const root = await rootOf(size, readMany);
      expect(root).toBe(naiveRoot(many.slice(0, size)));
      for (let index = 0; index < size; index += 1) {
        const proof = await inclusionProof(index, size, readMany);
        const leaf = many[index] as Hash;
        expect(isIncluded({ leaf, index, size, root }, proof)).toBe(true);
        expect(isIncluded({ leaf: leafHash(Buffer.from('x')), index, size, root }, proof)).toBe(false);
        expect(isIncluded({ leaf, index: index + 1, size, root }, proof)).toBe(false);
        expect(isIncluded({ leaf, index, size, root: emptyRoot }, proof)).toBe(false);
        expect(isIncluded({ leaf, index, size, root }, [...proof, emptyRoot])).toBe(false);
        if (proof.length > 0) expect(isIncluded({ leaf, index, size, root }, proof.slice(1))).toBe(false);
      }
    }
  });

  it('hold for every two trees, and for no other beginning', async () => {
    for (let to = 1; to <= many.length; to += 1) {
      const young = { size: to, root: await rootOf(to, readMany) };
      for (let from = 1; from <= to; from += 1) {
        const old = { size: from, root: await rootOf(from, readMany) };
        const proof = await consistencyProof(from, to, readMany);
        expect(isConsistent(old, young, proof)).toBe(true);
        expect(isConsistent({ ...old, root: emptyRoot }, young, proof)).toBe(false);
        expect(isConsistent(old, { ...young, root: emptyRoot }, proof)).toBe(false);
        expect(isConsistent(old, young, [...proof, emptyRoot])).toBe(false);
        if (proof.length > 0) expect(isConsistent(old, young, proof.slice(0, -1))).toBe(false);
      }
    }
  });

  it('show nothing of sizes that are no sizes', () => {
    expect(isIncluded({ leaf: emptyRoot, index: -1, size: 1, root: emptyRoot }, [])).toBe(false);
    expect(isIncluded({ leaf: emptyRoot, index: 0, size: 0, root: emptyRoot }, [])).toBe(false);
    expect(isConsistent({ size: 2, root: emptyRoot }, { size: 1, root: emptyRoot }, [])).toBe(false);
  });
});
