import type { DecodedRecord } from '#core/event-codec';
import { limit } from '#core/limit';
import {
  EpochReadLast,
  withAcknowledgementsTrusted,
  withoutFirstOutcome,
  withoutPreviousOffset,
  withoutVersions,
} from './mutations.js';
import { virtualSleep } from './virtual-time.js';

/** For native modules; the types of Jest leave it out. */
const { unstable_mockModule: mockModule } = import.meta.jest as unknown as {
  readonly unstable_mockModule: (name: string, make: () => object) => void;
};

/** Real time has no part in it, and a mutant judges with a rule less. */
const product = await import('#core/fold');
type Decide = typeof product.decide;
/** The product's own: the module is a mock below, and its exports are the mock's. */
const judge: Decide = product.decide;
let decide: Decide = judge;
const timers = await import('node:timers/promises');
mockModule('node:timers/promises', () => ({ ...timers, setTimeout: virtualSleep }));
// Several read the same record, and always find the same in it.
const codec = await import('#core/event-codec');
const { decodeEvent } = codec;
const decoded = new WeakMap<Uint8Array, DecodedRecord>();
mockModule('#core/event-codec', () => ({
  ...codec,
  decodeEvent: (bytes: Uint8Array) => {
    const event = decoded.get(bytes) ?? decodeEvent(bytes);
    decoded.set(bytes, event);
    return event;
  },
}));
mockModule('#core/fold', () => ({
  ...product,
  decide: (...args: Parameters<Decide>) => decide(...args),
}));
const { Simulation } = await import('./simulation.js');

/** A simulation is over in seconds: within them outcomes are forgotten that are kept for a day. */
Object.assign(limit, { outcomesKeptMs: 400 });

const seedFirst = Number(process.env['VARVE_TEST_SEED'] ?? 1);
const simulations = Number(process.env['VARVE_TEST_SIMULATIONS'] ?? 5_000);
const replayLine = 'npm run test --ignore-scripts -- --selectProjects simulation -t "whatever the seed"';
/** Most mutants are caught by the first few of them, the rarest by one in some hundreds. */
const mutantSimulations = 5_000;
/** Thousands of runs may have to share their core with all the other tests. */
import.meta.jest.setTimeout(600_000);

/** The first seed that breaks a law, how to run it alone, and what happened. */
async function firstBroken(
  count: number,
  mutation: Parameters<typeof Simulation.run>[1] = {},
): Promise<string | undefined> {
  for (let seed = seedFirst; seed < seedFirst + count; seed += 1) {
    try {
      await Simulation.run(seed, mutation);
    } catch (error) {
      return `replay: VARVE_TEST_SEED=${seed} VARVE_TEST_SIMULATIONS=1 ${replayLine}\n${(error as Error).message}`;
    }
    // Jest, and what cleans up after promises, have their turn.
    await new Promise((resolve) => void setImmediate(resolve));
  }
  return undefined;
}

describe('gateways, projectors and clients with everything going wrong between them', () => {
  it('keep every law, whatever the seed', async () => {
    expect(await firstBroken(simulations)).toBeUndefined();
  });
});

describe('what clients are told in a simulation', () => {
  it('is every kind of answer, often', async () => {
    const count = { ok: 0, refused: 0, unknown: 0 };
    for (let seed = 1; seed <= 50; seed += 1) {
      const { wishes } = await Simulation.run(seed);
      for (const { type, answer } of wishes) if (type !== 'read') count[answer.type] += 1;
    }
    expect(count.ok).toBeGreaterThan(50);
    expect(count.refused).toBeGreaterThan(50);
    expect(count.unknown).toBeGreaterThan(50);
  });

  it('is that copies were named, also by hint, while others were deleted and forgotten, as outcomes were', async () => {
    const count = { layer: 0, hint: 0, deleted: 0, forgotten: 0, expired: 0 };
    for (let seed = 1; seed <= 100; seed += 1) {
      const { wishes, deleted, forgotten, expired } = await Simulation.run(seed);
      for (const { type, answer } of wishes)
        if (answer.type === 'ok' && (type === 'layer' || type === 'hint')) count[type] += 1;
      count.deleted += deleted;
      count.forgotten += forgotten;
      count.expired += expired;
    }
    expect(Math.min(...Object.values(count))).toBeGreaterThan(20);
  });
});

/** A check that nothing can fail proves nothing: each rule that is taken out is missed. */
describe('the laws of the simulation', () => {
  afterEach(() => (decide = judge));

  it('hold for the mutants that change nothing', async () => {
    decide = (...args) => judge(...args);
    expect(
      await firstBroken(50, { wrapGateway: (stores) => stores, wrapProjector: (stores) => stores }),
    ).toBeUndefined();
  });

  it('are broken when the version is left out of the comparison', async () => {
    decide = withoutVersions(judge);
    expect(await firstBroken(mutantSimulations)).toMatch(/seed \d+: I[1-6]:/);
  });

  it('are broken when the graph takes a batch that does not follow', async () => {
    expect(await firstBroken(mutantSimulations, { wrapProjector: withoutPreviousOffset })).toMatch(
      /seed \d+: I(1|5|13):/,
    );
  });

  it('are broken when the acknowledgement of the log is taken for the outcome', async () => {
    expect(await firstBroken(mutantSimulations, { wrapGateway: withAcknowledgementsTrusted })).toMatch(
      /seed \d+: I[23]:/,
    );
  });

  it('are broken when the fences are looked at after the blobs', async () => {
    expect(await firstBroken(mutantSimulations, { Submitting: EpochReadLast })).toMatch(/seed \d+: I(7|11):/);
  });

  it('are broken when a transaction may have a second outcome', async () => {
    decide = withoutFirstOutcome(judge);
    expect(await firstBroken(mutantSimulations)).toMatch(/seed \d+: I[1-6]:/);
  });
});
