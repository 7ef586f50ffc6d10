import {
  chainIdOf,
  DigestBuilder,
  digestFromHex,
  digestOf,
  type DiffId,
  emptyChainId,
  extendChain,
  hexOf,
  isDigest,
  parseDigest,
} from './digest.js';

const abc = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

describe('digest', () => {
  it('is the sha256 of FIPS 180-2', () => {
    expect(digestOf('abc')).toBe(abc);
    expect(digestOf(Buffer.from('abc'))).toBe(abc);
  });

  it('parses to itself, and from its hex', () => {
    expect(parseDigest(abc)).toBe(abc);
    expect(digestFromHex(hexOf(parseDigest(abc)))).toBe(abc);
  });

  it.each([
    ['upper case', abc.toUpperCase()],
    ['upper-case digits', `sha256:${hexOf(parseDigest(abc)).toUpperCase()}`],
    ['another algorithm', abc.replace('256', '512')],
    ['no algorithm', abc.slice(7)],
    ['one digit less', abc.slice(0, -1)],
    ['one digit more', `${abc}0`],
    ['a line end', `${abc}\n`],
    ['nothing', ''],
  ])('refuses %s', (_title, text) => {
    expect(isDigest(text)).toBe(false);
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
  });

  it('is the same for bytes that arrive in pieces', () => {
    const builder = new DigestBuilder();
    for (const piece of ['a', '', 'bc']) builder.update(Buffer.from(piece));
    expect(builder.size).toBe(3);
    expect(builder.digest()).toBe(abc);
  });
});

describe('chainID', () => {
  const layers = ['one', 'two', 'three'].map((name) => digestOf(name) as DiffId);

  it('of one layer is its diffID, of more is the digest of chain and layer', () => {
    const [one, two] = layers as [DiffId, DiffId];
    expect(chainIdOf([one])).toBe(one);
    expect(chainIdOf([one, two])).toBe(digestOf(`${one} ${two}`));
  });

  it('can be extended layer by layer', () => {
    expect(chainIdOf([])).toBe(emptyChainId);
    expect(extendChain(chainIdOf(layers.slice(0, 2)), layers[2] as DiffId)).toBe(chainIdOf(layers));
  });
});
