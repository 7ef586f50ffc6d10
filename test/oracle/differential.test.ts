import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isVarveError } from '#core/error';
import { Stack } from '../golden/stack.js';
import { Random } from './random.js';
import { randomStack } from './random-stack.js';

const firstSeed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000_000);
const stacksAsked = Number(process.env['VARVE_TEST_STACKS'] ?? 4000);
const batch = 500;

type Told = { readonly tar: string } | { readonly reject: string };

describe(`${stacksAsked} random stacks from seed ${firstSeed}`, () => {
  it('mean to Varve what they mean to the reference model: equal bytes, equal refusals', async () => {
    let trees = 0;
    for (let at = 0; at < stacksAsked; at += batch) {
      const seeds = Array.from({ length: Math.min(batch, stacksAsked - at) }, (_, i) => firstSeed + at + i);
      const stacks = seeds.map((seed) => randomStack(new Random(seed)));
      const told = askModel(stacks);
      for (const [i, stack] of stacks.entries()) {
        const wanted = told[i] as Told;
        if ('tar' in wanted) trees += 1;
        await compare(seeds[i] as number, stack, wanted);
      }
    }
    // A generator that is always refused, or never, would show nothing.
    expect(trees).toBeGreaterThan(stacksAsked / 4);
    expect(trees).toBeLessThan(stacksAsked);
  }, 1_800_000);
});

async function compare(seed: number, stack: readonly Buffer[], wanted: Told): Promise<void> {
  const got = await answer(stack);
  const expected = 'tar' in wanted ? wanted.tar : 'refused';
  if (got.answer === expected) return;
  const folder = keep(seed, stack);
  const reason = 'reject' in wanted ? `refused (${wanted.reject})` : `a tree of ${wanted.tar.length} base64 digits`;
  throw new Error(`seed ${seed}: the model says ${reason}; Varve says ${got.said}. The layers are in ${folder}`);
}

async function answer(layers: readonly Buffer[]): Promise<{ answer: string; said: string }> {
  try {
    const tar = (await (await Stack.of(layers)).tar()).toString('base64');
    return { answer: tar, said: `a tree of ${tar.length} base64 digits` };
  } catch (error) {
    if (!isVarveError(error, 'LAYER_INVALID') && !isVarveError(error, 'LIMIT_EXCEEDED')) throw error;
    return { answer: 'refused', said: `refused (${error.message})` };
  }
}

function keep(seed: number, stack: readonly Buffer[]): string {
  const folder = join(process.env['TMPDIR'] ?? '/tmp', `varve-oracle-${seed}`);
  mkdirSync(folder, { recursive: true });
  stack.forEach((tar, i) => writeFileSync(join(folder, `${i}.tar`), tar));
  return folder;
}

/** One process for a batch: starting one costs more than its answers. */
function askModel(stacks: readonly (readonly Buffer[])[]): Told[] {
  const script = join(import.meta.dirname, '../golden/answer.py');
  const input = JSON.stringify(stacks.map((stack) => stack.map((tar) => tar.toString('base64'))));
  const model = spawnSync('python3', [script], { input, maxBuffer: 1 << 30 });
  if (model.status !== 0) throw new Error(`the model failed: ${String(model.error ?? model.stderr)}`);
  return JSON.parse(model.stdout.toString()) as Told[];
}
