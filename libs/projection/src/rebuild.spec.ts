import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { stateDigestOf } from '#core/state-digest';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import {
  absent,
  app,
  commitBatch,
  commitOn,
  layerBlob,
  main,
  move,
  recordBytes,
  repoCreate,
  txidOf,
} from '../../../test/fixture/event-builder.js';
import { wrapLog } from '../../../test/fixture/wrapped-stores.js';
import { Projector } from './follow.js';
import { compareGraph } from './compare-graph.js';
import { rebuild, verify } from './rebuild.js';

const clock = { now: () => 1_000 };
const root = commitOn([], 'root');
const create = recordBytes(repoCreate(txidOf('create'), { commits: [root], updates: [move(main, absent, root.id)] }));
const batch = (n: number) => recordBytes(commitBatch(txidOf(`batch ${n}`), { blobs: [layerBlob(`${n}`)] }));

async function filled(
  partitionCount = 1,
  time: Clock = clock,
): Promise<{ log: EventLog; graph: GraphStore; projector: Projector }> {
  const log = openMemoryEventLog(time, partitionCount);
  const graph = openMemoryGraphStore(partitionCount);
  for (let partition = 0; partition < partitionCount; partition += 1) {
    await log.append(partition, [create, ...Array.from({ length: 600 }, (_, n) => batch(n))]);
  }
  const projector = new Projector({ log, graph });
  projector.start();
  await projector.caughtUp();
  return { log, graph, projector };
}

describe('rebuild', () => {
  it('gives the same state digest, and the same graph', async () => {
    const { log, graph, projector } = await filled();
    const before = await graph.checkpoint(0);
    expect(await rebuild({ log, graph })).toEqual({
      records: 602,
      offsets: [601],
      stateDigest: before.stateDigest,
      sameAsBefore: true,
    });
    expect(await graph.checkpoint(0)).toEqual(before);
    expect(await graph.ref(app, main)).toEqual({ commit: root.id, version: 1 });
    await projector.stop();
  });

  it('compares every partition', async () => {
    const { log, graph, projector } = await filled(3);
    const digests = await Promise.all(
      [0, 1, 2].map(async (partition) => (await graph.checkpoint(partition)).stateDigest),
    );
    const rebuilt = await rebuild({ log, graph });
    expect(rebuilt).toMatchObject({
      records: 3 * 602,
      offsets: [601, 601, 601],
      stateDigest: stateDigestOf(digests),
      sameAsBefore: true,
    });
    await projector.stop();
  });

  it('gives the same, and finds no difference, where outcomes are forgotten', async () => {
    let now = 1_000;
    const { log, graph, projector } = await filled(1, { now: () => now });
    for (let n = 1; n <= 4; n += 1) {
      now += 86_400_000;
      const collection = { txid: txidOf(`fence ${n}`), gcId: `g${n}`, gcEpoch: n - 1, blobs: [] };
      await log.append(0, [recordBytes({ type: 'gc.fence.v1', ...collection }), batch(1_000 + n)]);
    }
    await projector.caughtUp();
    expect(await graph.outcome(0, txidOf('batch 1'))).toBeUndefined();
    for await (const line of compareGraph({ log, graph })) expect(line.type).toBe('replayed');
    expect(await rebuild({ log, graph })).toMatchObject({ records: 610, sameAsBefore: true });
    await projector.stop();
  });

  it('fills an empty graph, and says that there was nothing to compare', async () => {
    const { log, projector } = await filled();
    await projector.stop();
    const graph = openMemoryGraphStore();
    expect(await rebuild({ log, graph })).toMatchObject({ records: 602, sameAsBefore: false });
    expect((await graph.checkpoint(0)).offset).toBe(601);
  });

  it('goes on while records are appended and projected', async () => {
    const { log, graph, projector } = await filled();
    let n = 600;
    const ending = new AbortController();
    const appending = (async () => {
      for (; !ending.signal.aborted; n += 1) {
        await log.append(0, [batch(n)]);
        await new Promise(setImmediate);
      }
    })();
    try {
      const rebuilt = await rebuild({ log, graph });
      expect(rebuilt.sameAsBefore).toBe(true);
      expect(rebuilt.records).toBeGreaterThan(602);
    } finally {
      ending.abort();
      await appending;
    }
    await projector.caughtUp();
    await projector.stop();
    expect((await graph.checkpoint(0)).offset).toBe(n + 1);
    expect(await verify({ log, graph })).toMatchObject({ offsets: [n + 1], sameAsBefore: true });
  });

  it('promotes nothing when the graph is not what the log says', async () => {
    const { log, graph, projector } = await filled();
    await projector.stop();
    const { offset, recordDigest, stateDigest } = await graph.checkpoint(0);
    const wrong = { previousOffset: offset, offset: offset + 1, recordDigest, stateDigest, changes: [] };
    await log.append(0, [batch(600)]);
    await graph.apply(0, wrong);
    const before = await graph.checkpoint(0);
    await expect(rebuild({ log, graph })).rejects.toMatchObject({ code: 'CORRUPT', detail: { live: stateDigest } });
    await expect(verify({ log, graph })).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(await graph.checkpoint(0)).toEqual(before);
    // Nothing is left that would be in the way of another one.
    await (await graph.beginGeneration()).discard();
  });

  it('refuses a log that ends before the graph, and one with a gap', async () => {
    const { log, graph, projector } = await filled();
    await projector.stop();
    const short = openMemoryEventLog(clock);
    await expect(rebuild({ log: short, graph })).rejects.toMatchObject({ code: 'LOG_TRUNCATED' });
    const gapped = wrapLog(log, {
      async *read(partition, from) {
        for await (const records of log.read(partition, from)) yield records.filter(({ offset }) => offset !== 300);
      },
    });
    await expect(rebuild({ log: gapped, graph })).rejects.toMatchObject({ code: 'LOG_TRUNCATED' });
  });
});

describe('verify', () => {
  it('replays and compares, and changes nothing', async () => {
    const { log, graph, projector } = await filled();
    await projector.stop();
    const before = await graph.checkpoint(0);
    expect(await verify({ log, graph })).toMatchObject({ records: 602, sameAsBefore: true });
    expect(await graph.checkpoint(0)).toEqual(before);
  });
});
