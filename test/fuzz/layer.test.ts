import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isVarveError, type VarveError } from '#core/error';
import { Stack } from '../golden/stack.js';
import { Random } from '../oracle/random.js';
import { randomStack } from '../oracle/random-stack.js';
import { mutateTar } from './mutate-tar.js';
import { Watchdog } from './watchdog.js';

const firstSeed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000_000);
const mutantsAsked = Number(process.env['VARVE_TEST_MUTANTS'] ?? 1200);
const batch = 500;
const hasPython = spawnSync('python3', ['--version']).status === 0;

type Told = { readonly tar: string } | { readonly reject: string } | { readonly fault: string };
type Answer = { readonly tar: Buffer } | { readonly refusal: VarveError };

const watchdog = new Watchdog();
afterAll(() => watchdog.stop());

describe(`${mutantsAsked} damaged layers (VARVE_TEST_SEED=${firstSeed})`, () => {
  const title = `are read or refused with code, entry and offset${hasPython ? ', as the reference model does' : ' (the reference model needs python3 in PATH)'}`;
  it(
    title,
    async () => {
      let trees = 0;
      for (let at = 0; at < mutantsAsked; at += batch) {
        const seeds = Array.from({ length: Math.min(batch, mutantsAsked - at) }, (_, i) => firstSeed + at + i);
        watchdog.watch(`damaging layers from seed ${seeds[0]} on`);
        const stacks = seeds.map(mutantOf);
        watchdog.watch(`the reference model, asked about seeds from ${seeds[0]} on,`);
        const told = hasPython ? askModel(stacks) : [];
        for (const [i, stack] of stacks.entries()) {
          const seed = seeds[i] as number;
          watchdog.watch(`VARVE_TEST_SEED=${seed} VARVE_TEST_MUTANTS=1`);
          const answer = await answerOf(seed, stack);
          if ('tar' in answer) trees += 1;
          compare(seed, stack, answer, told[i]);
        }
      }
      // A damage that never shows, or always, would test nothing.
      if (mutantsAsked < batch) return;
      expect(trees).toBeGreaterThan(mutantsAsked / 20);
      expect(trees).toBeLessThan(mutantsAsked * 0.8);
    },
    1_800_000,
  );
});

/** One layer of a random stack, damaged. */
function mutantOf(seed: number): Buffer[] {
  const random = new Random(seed);
  const layers = randomStack(random).slice(-3);
  const at = random.below(layers.length);
  return layers.with(at, mutateTar(random, layers[at] as Buffer, layers));
}

async function answerOf(seed: number, layers: readonly Buffer[]): Promise<Answer> {
  try {
    const stack = await Stack.of(layers, new Random(seed).pick([512, 1000, 1 << 16]));
    const tar = await stack.tar();
    if (tar.length !== stack.plan.length) {
      throw new Error(`the plan says ${stack.plan.length} bytes, and ${tar.length} were written`);
    }
    return { tar };
  } catch (error) {
    if (isVarveError(error, 'LAYER_INVALID') || isVarveError(error, 'LIMIT_EXCEEDED')) {
      checkPlace(seed, layers, error);
      return { refusal: error };
    }
    throw new Error(`seed ${seed} (layers in ${keep(seed, layers)}) ends with ${String(error)}`, { cause: error });
  }
}

/** A refusal says which entry, and at which byte of the tar its header stands. */
function checkPlace(seed: number, layers: readonly Buffer[], { message, detail }: VarveError): void {
  const { entry, offset, rule } = detail as { entry?: unknown; offset?: unknown; rule?: unknown };
  const longest = Math.max(...layers.map((tar) => tar.length));
  const isPlace = Number.isInteger(entry) && Number.isInteger(offset) && Number(offset) % 512 === 0;
  if (isPlace && Number(entry) >= 0 && Number(offset) >= 0 && Number(offset) <= longest && typeof rule === 'string')
    return;
  throw new Error(`seed ${seed}: "${message}" says no entry and offset: ${JSON.stringify(detail)}`);
}

function compare(seed: number, layers: readonly Buffer[], answer: Answer, told: Told | undefined): void {
  if (told === undefined || 'fault' in told) return;
  const said = 'tar' in answer ? answer.tar.toString('base64') : 'refused';
  const wanted = 'tar' in told ? told.tar : 'refused';
  if (said === wanted || ('refusal' in answer && isStricter(answer.refusal))) return;
  const ours = 'tar' in answer ? `a tree of ${answer.tar.length} bytes` : `refused (${answer.refusal.message})`;
  const models = 'tar' in told ? 'a tree' : `refused (${told.reject})`;
  throw new Error(
    `seed ${seed}: the model says ${models}; Varve says ${ours}. The layers are in ${keep(seed, layers)}`,
  );
}

/**
 * Where Varve refuses what the model takes, by the rule it names. The model is small and trusts its numbers; nothing
 * the model refuses may be taken.
 */
const stricterRules: Readonly<Record<string, string>> = {
  'sparse-map':
    'union/SPEC 4.1 P5: the model drops odd numbers, pieces out of order and maps without a size; readers differ',
  'bad-number': 'union/SPEC 4.1 P5: "-1" or inner spaces in an octal field are numbers to some readers only',
  'malformed-pax': 'union/SPEC 4.4, malformed PAX: Python reads signs, spaces and "1_000" as numbers',
  'time-out-of-range': 'union/SPEC 4.4, times outside signed 64-bit seconds: also for those in a binary header field',
};

function isStricter({ code, detail }: VarveError): boolean {
  // The limits of union/SPEC 4.5, which the model has not.
  return code === 'LIMIT_EXCEEDED' || Object.hasOwn(stricterRules, String(detail['rule']));
}

function keep(seed: number, layers: readonly Buffer[]): string {
  const folder = join(tmpdir(), `varve-fuzz-${seed}`);
  mkdirSync(folder, { recursive: true });
  layers.forEach((tar, i) => writeFileSync(join(folder, `${i}.tar`), tar));
  return folder;
}

/** One process for a batch. The model has no limits and crashes on some numbers: its faults say nothing. */
function askModel(stacks: readonly (readonly Buffer[])[]): Told[] {
  const input = JSON.stringify(stacks.map((stack) => stack.map((tar) => tar.toString('base64'))));
  const script = join(import.meta.dirname, 'ask-model.py');
  const model = spawnSync('python3', [script], { input, maxBuffer: 1 << 30, timeout: 60_000 });
  if (model.status !== 0) throw new Error(`the model failed: ${String(model.error ?? model.stderr)}`);
  return JSON.parse(model.stdout.toString()) as Told[];
}
