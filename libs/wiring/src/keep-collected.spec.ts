import { newPartition } from '#core/graph-row';
import { VarveError } from '#core/error';
import type { GarbageReport } from '#collect/collect-all';
import { keepCollected } from './keep-collected.js';

/** In an ES module it is no global. */
const timers = import.meta.jest;
const nothing = { count: 0, bytes: 0 };
const report: GarbageReport = {
  dryRun: false,
  gcId: '0'.repeat(32),
  epochs: [1, 1],
  stored: nothing,
  candidates: nothing,
  kept: nothing,
  removed: nothing,
  forgotten: 0,
  copies: [],
  derived: [],
  uploads: { staged: nothing, removed: nothing },
};
const checkpoint = { offset: 0, recordDigest: '', stateDigest: '', partition: newPartition };
const periodMs = 2_400;

/** Processes beside one graph of two partitions; a run fences at the time it is made. */
function world() {
  const at = { now: 1_000_000, fencedAt: [0, 0], runs: 0, told: [] as string[], fails: undefined as Error | undefined };
  const graph = {
    partitionCount: 2,
    checkpoint: async (partition: number) => ({
      ...checkpoint,
      partition: { ...newPartition, fencedAt: at.fencedAt[partition] as number },
    }),
  };
  const logger = {
    info: (_fields: object, message: string) => void at.told.push(message),
    error: (_fields: object, message: string) => void at.told.push(`error: ${message}`),
  } as never;
  const run = async () => {
    if (at.fails) throw at.fails;
    at.runs += 1;
    at.fencedAt = [at.now, at.now];
    return report;
  };
  return Object.assign(at, {
    start(opened: AsyncDisposableStack, period = periodMs) {
      keepCollected({ run, graph, clock: { now: () => at.now }, random: () => 0.5, periodMs: period, logger }, opened);
    },
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 50) {
        at.now += 50;
        await timers.advanceTimersByTimeAsync(50);
      }
    },
  });
}

describe('a collection that runs by itself', () => {
  beforeEach(() => timers.useFakeTimers());
  afterEach(() => timers.useRealTimers());

  it('runs once in a period, whichever of several processes does it', async () => {
    await using opened = new AsyncDisposableStack();
    const at = world();
    for (let process = 0; process < 3; process += 1) {
      at.start(opened);
      await at.pass(50);
    }
    await at.pass(periodMs / 2);
    expect(at.runs).toBe(1);
    await at.pass(3 * periodMs);
    expect(at.runs).toBeGreaterThanOrEqual(3);
    expect(at.runs).toBeLessThanOrEqual(4);
  });

  it('leaves alone what was fenced less than a period ago, by whomever, in any partition', async () => {
    await using opened = new AsyncDisposableStack();
    const at = world();
    at.fencedAt = [0, at.now];
    at.start(opened);
    await at.pass(periodMs - 200);
    expect(at.runs).toBe(0);
    await at.pass(400);
    expect(at.runs).toBe(1);
  });

  it('looks soon after it was started, however long its period is', async () => {
    await using opened = new AsyncDisposableStack();
    const at = world();
    at.now += 365 * 86_400_000;
    at.start(opened, 86_400_000);
    await at.pass(44_000);
    expect(at.runs).toBe(0);
    await at.pass(2_000);
    expect(at.runs).toBe(1);
  });

  it('never runs with a period of 0, and not after it was ended', async () => {
    const at = world();
    {
      await using opened = new AsyncDisposableStack();
      at.start(opened, 0);
      await at.pass(periodMs);
      expect(at.runs).toBe(0);
      at.start(opened);
    }
    await at.pass(2 * periodMs);
    expect(at.runs).toBe(0);
  });

  it('tries again after it could not, and tells what is no matter of waiting', async () => {
    await using opened = new AsyncDisposableStack();
    const at = world();
    at.fails = new VarveError('UNAVAILABLE', 'away');
    at.start(opened);
    await at.pass(periodMs / 12);
    at.fails = new Error('a bug');
    await at.pass(periodMs / 12);
    at.fails = undefined;
    await at.pass(periodMs / 12);
    expect(at.runs).toBe(1);
    expect(new Set(at.told)).toEqual(
      new Set(['garbage is collected later', 'error: garbage could not be collected', 'collected garbage']),
    );
  });
});
