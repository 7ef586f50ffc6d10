import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { isVarveError } from '#core/error';
import { readTar } from '#tar/read-tar';
import { isMarker, marker, randomLayer, randomStack, type RandomLayer, tarOf } from './random-layer.js';
import { Stack } from './stack.js';

const seed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000_000);
const stacksAsked = Number(process.env['VARVE_TEST_STACKS'] ?? 400);
const runs = { seed, numRuns: Number(process.env['VARVE_TEST_RUNS'] ?? 200) };
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** The canonical tar in hex, or the word that the stack is refused. */
async function answer(layers: readonly Buffer[]): Promise<string> {
  try {
    return (await (await Stack.of(layers)).tar()).toString('hex');
  } catch (error) {
    if (isVarveError(error, 'LAYER_INVALID')) return 'refused';
    throw error;
  }
}

const tars = (layers: readonly RandomLayer[]): Buffer[] => layers.map(tarOf);

describe(`the union of random stacks (VARVE_TEST_SEED=${seed})`, () => {
  const withModel = hasPython ? it : it.skip;
  withModel(`is the reference model's, byte for byte${hasPython ? '' : ' (needs python3 in PATH)'}`, async () => {
    const stacks = fc.sample(randomStack, { seed, numRuns: stacksAsked }).map(tars);
    const expected = askModel(stacks);
    let trees = 0;
    for (const [number, stack] of stacks.entries()) {
      const told = expected[number]!;
      if ('tar' in told) trees++;
      const wanted = 'tar' in told ? Buffer.from(told.tar, 'base64').toString('hex') : 'refused';
      expect({ number, told: await answer(stack) }).toEqual({ number, told: wanted });
    }
    // A generator that is always refused, or never, would show nothing.
    expect(trees).toBeGreaterThan(stacksAsked / 10);
    expect(trees).toBeLessThan(stacksAsked);
  });

  it('does not depend on where in a layer its markers stand', async () => {
    const moved = fc.record({
      below: fc.array(randomLayer, { maxLength: 2 }),
      nodes: randomLayer,
      markers: fc.array(marker),
      places: fc.array(fc.nat(20)),
    });
    await fc.assert(
      fc.asyncProperty(moved, async ({ below, nodes, markers, places }) => {
        const others = nodes.filter((entry) => !isMarker(entry));
        const scattered = [...others];
        markers.forEach((entry, i) => scattered.splice((places[i] ?? 0) % (scattered.length + 1), 0, entry));
        const first = await answer(tars([...below, [...markers, ...others]]));
        expect(await answer(tars([...below, [...others, ...markers]]))).toBe(first);
        expect(await answer(tars([...below, scattered]))).toBe(first);
      }),
      runs,
    );
  });

  it('is the same bytes again when it is a layer itself', async () => {
    await fc.assert(
      fc.asyncProperty(randomStack, async (layers) => {
        const tar = await answer(tars(layers));
        fc.pre(tar !== 'refused');
        expect(await answer([Buffer.from(tar, 'hex')])).toBe(tar);
      }),
      runs,
    );
  });

  it('does not change when the lower part of the stack is flattened into one layer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(randomLayer, { minLength: 2, maxLength: 5 }), fc.nat(3), async (layers, cut) => {
        const depth = 1 + (cut % (layers.length - 1));
        const lower = await answer(tars(layers.slice(0, depth)));
        fc.pre(lower !== 'refused');
        const flattened = [Buffer.from(lower, 'hex'), ...tars(layers.slice(depth))];
        expect(await answer(flattened)).toBe(await answer(tars(layers)));
      }),
      runs,
    );
  });

  it('names every directory before what is in it, and every file before the hardlinks to it', async () => {
    let links = 0;
    await fc.assert(
      fc.asyncProperty(randomStack, async (layers) => {
        const tar = await answer(tars(layers));
        fc.pre(tar !== 'refused');
        links += expectInOrder(await entriesOf(Buffer.from(tar, 'hex')));
      }),
      runs,
    );
    expect(links).toBeGreaterThan(0);
  });

  it('is written the same in any range', async () => {
    await fc.assert(
      fc.asyncProperty(randomStack, fc.nat(1 << 16), fc.nat(1 << 16), async (layers, one, other) => {
        const whole = await answer(tars(layers));
        fc.pre(whole !== 'refused');
        const stack = await Stack.of(tars(layers));
        const [from, to] = [one % (stack.plan.length + 1), other % (stack.plan.length + 1)].toSorted(
          (a, b) => a - b,
        ) as [number, number];
        expect((await stack.tar({ from, to })).toString('hex')).toBe(whole.slice(from * 2, to * 2));
        expect(stack.open).toBe(0);
      }),
      runs,
    );
  });
});

interface Named {
  readonly type: string;
  readonly path: string;
  readonly link: string;
}

async function entriesOf(tar: Buffer): Promise<Named[]> {
  const entries: Named[] = [];
  // oxlint-disable-next-line typescript/require-await -- a stream of one piece
  const source = (async function* () { yield tar; })(); // prettier-ignore
  for await (const { type, path, link } of readTar(source)) {
    entries.push({ type, path: path.toString('latin1'), link: link.toString('latin1') });
  }
  return entries;
}

/** Every path once, behind its parent; a link behind a file that is no link itself. Returns how many links there were. */
function expectInOrder(entries: readonly Named[]): number {
  const seen = new Map<string, string>([['', 'directory']]);
  let links = 0;
  for (const { type, path, link } of entries) {
    const name = path.replace(/^\.\/|\/$/g, '');
    const parent = name.slice(0, Math.max(0, name.lastIndexOf('/')));
    expect({ path, isNew: name === '' || !seen.has(name), parent: seen.get(parent) }).toEqual({
      path,
      isNew: true,
      parent: 'directory',
    });
    if (type === 'hardlink') {
      links++;
      expect(seen.get(link)).toMatch(/^(?:file|symlink|char|block|fifo)$/);
    }
    seen.set(name, type);
  }
  return links;
}

type Told = { readonly tar: string } | { readonly reject: string };

/** One process for all of them: starting one costs more than its answers. */
function askModel(stacks: readonly (readonly Buffer[])[]): Told[] {
  const input = JSON.stringify(stacks.map((stack) => stack.map((tar) => tar.toString('base64'))));
  const model = spawnSync('python3', ['-B', join(import.meta.dirname, 'answer.py')], { input, maxBuffer: 1 << 30 });
  if (model.status !== 0) throw new Error(`the model failed: ${model.stderr.toString()}`);
  return JSON.parse(model.stdout.toString()) as Told[];
}
