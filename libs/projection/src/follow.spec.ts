import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { EventLog } from '#ports/event-log';
import {
  app,
  commitBatch,
  layerBlob,
  main,
  recordBytes,
  repoCreate,
  txidOf,
} from '../../../test/fixture/event-builder.js';
import { wrapGraph, wrapLog } from '../../../test/fixture/wrapped-stores.js';
import { Projector, type ProjectorOptions } from './follow.js';

const clock = { now: () => 1_000 };
const create = recordBytes(repoCreate(txidOf('create')));
const batches = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) =>
    recordBytes(commitBatch(txidOf(`batch ${from + n}`), { blobs: [layerBlob(`${from + n}`)] })),
  );

async function projecting<T>(stores: ProjectorOptions, use: (projector: Projector) => Promise<T>) {
  const projector = new Projector(stores);
  projector.start();
  try {
    return await use(projector);
  } finally {
    await projector.stop();
  }
}

describe('Projector', () => {
  it('projects what is there, and then what comes', async () => {
    const log = openMemoryEventLog(clock);
    const graph = openMemoryGraphStore();
    await log.append(0, [create]);
    await projecting({ log, graph }, async (projector) => {
      await projector.caughtUp();
      expect(await graph.repository(app)).toMatchObject({ defaultBranch: main });
      await log.append(0, batches(3));
      await projector.caughtUp();
      expect((await graph.checkpoint(0)).offset).toBe(4);
    });
  });

  it('goes on from the checkpoint, in any partition', async () => {
    const log = openMemoryEventLog(clock, 4);
    const graph = openMemoryGraphStore(4);
    for (let round = 1; round <= 2; round += 1) {
      for (let partition = 0; partition < 4; partition += 1) await log.append(partition, batches(2, round * 2));
      await projecting({ log, graph }, (projector) => projector.caughtUp());
      for (let partition = 0; partition < 4; partition += 1) {
        expect((await graph.checkpoint(partition)).offset).toBe(2 * round);
      }
    }
  });

  it('takes steps of bounded size', async () => {
    const log = openMemoryEventLog(clock);
    const steps: number[] = [];
    const store = openMemoryGraphStore();
    const graph = wrapGraph(store, {
      apply: (partition, batch) => (steps.push(batch.offset - batch.previousOffset), store.apply(partition, batch)),
    });
    const log700 = wrapLog(log, {
      async *follow(partition, from, signal) {
        // An adapter may give any number at once.
        const all = [];
        for await (const batch of log.read(partition, from)) all.push(...batch);
        yield all;
        yield* log.follow(partition, from + all.length, signal);
      },
    });
    await log.append(0, [create, ...batches(700)]);
    await projecting({ log: log700, graph }, (projector) => projector.caughtUp());
    expect(Math.max(...steps)).toBe(limit.applyRecordsMax);
    expect(steps.reduce((sum, step) => sum + step)).toBe(702);
  });

  it('works beside another one, and both agree', async () => {
    const log = openMemoryEventLog(clock);
    const store = openMemoryGraphStore();
    // Both wait before they apply, so that both have folded the same records.
    const graph = wrapGraph(store, {
      async apply(partition, batch) {
        await new Promise(setImmediate);
        return store.apply(partition, batch);
      },
    });
    await projecting({ log, graph }, (one) =>
      projecting({ log, graph }, async (other) => {
        for (let n = 0; n < 20; n += 1) {
          await log.append(0, n === 0 ? [create] : batches(3, n * 3));
          if (n % 5 === 0) await new Promise(setImmediate);
        }
        await Promise.all([one.caughtUp(), other.caughtUp()]);
      }),
    );
    const alone = openMemoryGraphStore();
    await projecting({ log, graph: alone }, (projector) => projector.caughtUp());
    expect(await store.checkpoint(0)).toEqual(await alone.checkpoint(0));
  });

  it('waits and goes on when the graph is away or full for a while', async () => {
    const log = openMemoryEventLog(clock);
    const store = openMemoryGraphStore();
    const failures = [new VarveError('STORAGE_FULL', 'full'), new VarveError('UNAVAILABLE', 'away')];
    const graph = wrapGraph(store, {
      async apply(partition, batch) {
        const failure = failures.pop();
        if (failure) throw failure;
        return store.apply(partition, batch);
      },
    });
    await log.append(0, [create]);
    await projecting({ log, graph }, async (projector) => {
      expect(await projector.full).toMatchObject({ code: 'STORAGE_FULL' });
      await projector.caughtUp();
    });
    expect(failures).toEqual([]);
    expect(await store.repository(app)).toBeDefined();
  });

  it.each<[string, (log: EventLog) => EventLog]>([
    ['ends before the checkpoint', () => openMemoryEventLog(clock)],
    [
      'has another record at the checkpoint: it was cut off and grew again',
      () => {
        const log = openMemoryEventLog(clock);
        void log.append(0, batches(4, 50));
        return log;
      },
    ],
    [
      'has a gap after the checkpoint',
      (log) =>
        wrapLog(log, {
          async *follow(partition, from, signal) {
            for await (const batch of log.follow(partition, from, signal)) yield batch.slice(1);
          },
        }),
    ],
  ])('halts when the log %s', async (_title, damage) => {
    const log = openMemoryEventLog(clock);
    const graph = openMemoryGraphStore();
    await log.append(0, [create, ...batches(2)]);
    await projecting({ log, graph }, (projector) => projector.caughtUp());
    const before = await graph.checkpoint(0);

    await log.append(0, batches(2, 2));
    const projector = new Projector({ log: damage(log), graph });
    projector.start();
    expect(await projector.failure).toMatchObject({ code: 'LOG_TRUNCATED' });
    await expect(projector.caughtUp()).rejects.toMatchObject({ code: 'LOG_TRUNCATED' });
    await projector.stop();
    expect(await graph.checkpoint(0)).toEqual(before);
  });

  it('is not caught up with a log that ends before the graph, however soon it is asked', async () => {
    const log = openMemoryEventLog(clock);
    const graph = openMemoryGraphStore();
    await log.append(0, [create, ...batches(2)]);
    await projecting({ log, graph }, (projector) => projector.caughtUp());
    const restored = openMemoryEventLog(clock);
    await restored.append(0, [create]);
    await projecting({ log: restored, graph }, async (projector) => {
      await expect(projector.caughtUp()).rejects.toMatchObject({ code: 'LOG_TRUNCATED' });
      expect(projector.halted).toMatchObject({ code: 'LOG_TRUNCATED' });
    });
  });

  it('halts at a record far ahead of its clock, with what is before it projected, and goes on when the clock is there', async () => {
    let logTime = 1_000;
    let now = 1_000;
    const log = openMemoryEventLog({ now: () => logTime });
    const graph = openMemoryGraphStore();
    const alarms: VarveError[] = [];
    await log.append(0, [create]);
    logTime += limit.aheadMsMax;
    await log.append(0, batches(1));
    logTime += 1;
    await log.append(0, batches(2, 1));
    const options = { log, graph, clock: { now: () => now }, onAlarm: (alarm: VarveError) => void alarms.push(alarm) };
    await projecting(options, async (projector) => {
      await expect(projector.caughtUp()).rejects.toMatchObject({
        code: 'LOG_TIME_AHEAD',
        message: expect.stringMatching(/record 3 .* set the clock that is wrong/),
        detail: { partition: 0, offset: 3, time: logTime, now },
      });
      expect(projector.halted?.code).toBe('LOG_TIME_AHEAD');
      expect((await graph.checkpoint(0)).offset).toBe(2);
      now += 1;
      while (projector.halted) await new Promise((resolve) => void setTimeout(resolve, 5));
      await projector.caughtUp();
      expect((await graph.checkpoint(0)).offset).toBe(4);
    });
    expect(alarms.map(({ code }) => code)).toEqual(['LOG_TIME_AHEAD']);
  });

  it('fills a graph again that has lost everything, also when nothing is appended', async () => {
    const log = openMemoryEventLog(clock);
    await log.append(0, [create, ...batches(300)]);
    let held = openMemoryGraphStore();
    const graph = wrapGraph(held, {
      checkpoint: (partition) => held.checkpoint(partition),
      facts: (partition, events) => held.facts(partition, events),
      apply: (partition, batch) => held.apply(partition, batch),
    });
    await projecting({ log, graph, lookEveryMs: 5 }, async (projector) => {
      await projector.caughtUp();
      const before = await held.checkpoint(0);
      held = openMemoryGraphStore();
      await projector.caughtUp();
      expect(await held.checkpoint(0)).toEqual(before);
      expect(projector.halted).toBeUndefined();
    });
  });

  it('halts at rules it does not know, with everything before them projected', async () => {
    const log = openMemoryEventLog(clock);
    const graph = openMemoryGraphStore();
    await log.append(0, [create]);
    await projecting({ log, graph }, (projector) => projector.caughtUp());
    await log.append(0, [recordBytes({ type: 'rules.activate.v1', txid: txidOf('new rules'), rules: 2 })]);
    const projector = new Projector({ log, graph });
    projector.start();
    expect(await projector.failure).toMatchObject({ code: 'UNSUPPORTED', detail: { rules: 2, offset: 2 } });
    await projector.stop();
    expect((await graph.checkpoint(0)).offset).toBe(1);
  });
});
