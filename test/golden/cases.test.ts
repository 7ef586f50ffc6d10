import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { VarveError } from '#core/error';
import { decompress } from '#layer/decompress';
import { Stack } from './stack.js';

/**
 * The catalogue of union/SPEC, appendix A, as bytes; each answer is model.py's. `blob` is a layer's compressed form,
 * where the case is about compression.
 */
interface Case {
  readonly name: string;
  readonly layers: readonly { readonly tar: string; readonly blob?: string }[];
  readonly expect: { readonly tarBase64: string } | { readonly reject: string };
}

const { cases } = JSON.parse(gunzipSync(readFileSync(join(import.meta.dirname, 'cases.json.gz'))).toString()) as {
  readonly cases: readonly Case[];
};
const trees = cases.flatMap(({ name, layers, expect: e }) =>
  'tarBase64' in e ? [{ name, layers, tar: e.tarBase64 }] : [],
);
const refusals = cases.flatMap(({ name, layers, expect: e }) =>
  'reject' in e ? [{ name, layers, reason: e.reject }] : [],
);

/** Our stable words for the model's reasons. */
const ruleOf: Readonly<Record<string, string>> = {
  'bad number': 'bad-number',
  'bad path': 'path-too-long',
  'both GNU and PAX long name': 'both-long-names',
  checksum: 'bad-checksum',
  'component too long': 'component-too-long',
  'dangling hardlink': 'dangling-link',
  'device number': 'device-out-of-range',
  'empty symlink target': 'empty-link',
  'global pax header changes framing or names': 'global-header',
  'hardlink to a directory': 'link-to-directory',
  'id out of range': 'id-out-of-range',
  'invalid whiteout': 'invalid-whiteout',
  'lone zero block': 'header-after-zero-block',
  'malformed pax': 'malformed-pax',
  'malformed pax record': 'malformed-pax',
  'malformed pax time': 'malformed-time',
  'negative size': 'negative-size',
  'non-NUL bytes after the compressed stream': 'trailing-garbage',
  'parent is not a directory': 'parent-not-directory',
  'path escapes the root': 'path-escapes',
  'reserved .wh. component': 'reserved-name',
  'root is not a directory': 'root-not-directory',
  'too many or too large xattrs': 'xattrs-too-large',
  'truncated data': 'truncated-body',
  'truncated header': 'truncated-header',
  'two pax headers for one entry': 'two-pax-headers',
  "typeflag b'A'": 'unknown-typeflag',
  "typeflag b'D'": 'unknown-typeflag',
  "typeflag b'Z'": 'unknown-typeflag',
};

async function plainLayers(layers: Case['layers']): Promise<Buffer[]> {
  const plain: Buffer[] = [];
  for (const { tar, blob } of layers)
    plain.push(blob === undefined ? Buffer.from(tar, 'base64') : await inflated(blob));
  return plain;
}

async function inflated(blob: string): Promise<Buffer> {
  const { bytes } = await decompress(once(Buffer.from(blob, 'base64')));
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

it('has every case of the catalogue', () => {
  expect({ trees: trees.length, refusals: refusals.length }).toEqual({ trees: 166, refusals: 42 });
});

describe('the tree of a stack, byte for byte', () => {
  it.each(trees)('$name', async ({ layers, tar }) => {
    const expected = Buffer.from(tar, 'base64');
    const stack = await Stack.of(await plainLayers(layers));
    expect(stack.plan.length).toBe(expected.length);
    expect(digestible(await stack.tar())).toEqual(digestible(expected));
    expect(stack.open).toBe(0);
  });

  it('does not depend on the pieces a layer comes in', async () => {
    for (const { layers, tar } of trees) {
      const plain = await plainLayers(layers);
      for (const pieceBytes of [1, 100, 513]) {
        const stack = await Stack.of(
          plain,
          plain.some(({ length }) => length > 100_000) ? pieceBytes + 4096 : pieceBytes,
        );
        expect((await stack.tar()).equals(Buffer.from(tar, 'base64'))).toBe(true);
      }
    }
  });

  it('can be written from any byte to any other', async () => {
    const random = stepsOf(7);
    for (const { layers, tar } of trees) {
      const expected = Buffer.from(tar, 'base64');
      const stack = await Stack.of(await plainLayers(layers));
      for (let round = 0; round < 10; round++) {
        const [from, to] = [random(expected.length + 1), random(expected.length + 1)].toSorted((a, b) => a - b) as [
          number,
          number,
        ];
        expect((await stack.tar({ from, to })).equals(expected.subarray(from, to))).toBe(true);
      }
      expect(stack.open).toBe(0);
    }
  });
});

describe('what is refused', () => {
  it.each(refusals)('$name: $reason', async ({ layers, reason }) => {
    const refused = await plainLayers(layers)
      .then(Stack.of.bind(Stack))
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(VarveError);
    const { code, detail } = refused as VarveError;
    expect({ code, rule: detail['rule'] }).toEqual({ code: 'LAYER_INVALID', rule: ruleOf[reason] });
  });
});

/** Small enough to show in a failure: the headers' names rather than the bytes. */
function digestible(tar: Buffer): string[] {
  const blocks: string[] = [];
  for (let at = 0; at < tar.length; at += 512) blocks.push(tar.toString('latin1', at, at + 512).replaceAll('\0', '·'));
  return blocks;
}

/** Numbers below a bound, the same ones for the same seed. */
function stepsOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
