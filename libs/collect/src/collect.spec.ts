import { randomBytes } from 'node:crypto';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { isVarveError } from '#core/error';
import type { NamedBlob } from '#core/event';
import { branchRef, parseRepositoryName } from '#core/name';
import { createRepository } from '#history/create-repository';
import { Submitter } from '#history/submitter';
import type { BlobAddress, BlobStore } from '#ports/blob-store';
import { Projector } from '#projection/follow';
import { wrapGraph } from '../../../test/fixture/wrapped-stores.js';
import { collect } from './collect.js';
import type { CollectOptions } from './collect-options.js';

const context = { actor: { name: 'test', verified: false }, reason: '', idempotencyKey: null, request: null };
const mediaType = 'application/octet-stream';
const repo = parseRepositoryName('app');

/** A history of two partitions and its bytes, all in memory. */
async function world() {
  let now = Date.now();
  const clock = { now: () => now };
  const log = openMemoryEventLog(clock, 2);
  const graph = openMemoryGraphStore(2);
  const blobs = openMemoryBlobStore();
  const projector = new Projector({ log, graph });
  projector.start();
  const submitter = new Submitter({ log, graph, random: randomBytes, clock });
  await createRepository({ submitter }, { repo, defaultBranch: branchRef('main') }, context);
  const stores = { log, graph, blobs, clock, random: randomBytes };
  return {
    ...stores,
    projector,
    pass: (ms: number) => (now += ms),
    collect: (options: Partial<CollectOptions> = {}) => collect(stores, { graceMs: 0, ...options }),
    async store(text: string): Promise<NamedBlob> {
      const staged = await blobs.stageBlob();
      await staged.write(Buffer.from(text));
      const { size } = await staged.finish();
      return { ...(await staged.seal()), size, mediaType, layer: null };
    },
    /** Proposes blobs, as a gateway would that had seen this fence. */
    async name(named: NamedBlob, gcEpoch = 0) {
      const draft = { repo, operation: 'commit', commits: [], updates: [], gcEpoch } as const;
      await submitter.submit({ type: 'commit.batch.v1', ...draft, blobs: [named] }, context);
    },
    async close() {
      submitter.close();
      await projector.stop();
    },
  };
}

const codeOf = (error: unknown) => (isVarveError(error) ? error.code : error);
const addressOf = ({ digest, incarnation }: BlobAddress) => ({ digest, incarnation });

async function held(blobs: BlobStore): Promise<BlobAddress[]> {
  const found: BlobAddress[] = [];
  for await (const copy of blobs.blobs()) found.push(addressOf(copy));
  return found;
}

describe('collect', () => {
  it('removes what nothing names and leaves what a proposal did, also the one copy of two', async () => {
    const at = await world();
    const [named, abandoned, loser] = [await at.store('named'), await at.store('abandoned'), await at.store('named')];
    await at.name(named);

    const report = await at.collect();

    expect(report).toMatchObject({
      epochs: [1, 1],
      stored: { count: 3, bytes: 19 },
      candidates: { count: 2 },
      kept: { count: 0 },
      removed: { count: 2, bytes: 14 },
    });
    expect(report.copies.map(addressOf)).toEqual(expect.arrayContaining([addressOf(abandoned), addressOf(loser)]));
    expect(await held(at.blobs)).toEqual([addressOf(named)]);
    await at.close();
  });

  it('tells what it would remove, and appends and deletes nothing', async () => {
    const at = await world();
    const abandoned = await at.store('abandoned');
    const ends = [await at.log.end(0), await at.log.end(1)];

    const report = await at.collect({ dryRun: true });

    expect(report).toMatchObject({ dryRun: true, gcId: null, epochs: [0, 0], removed: { count: 1, bytes: 9 } });
    expect(report.copies.map(addressOf)).toEqual([addressOf(abandoned)]);
    expect(await held(at.blobs)).toEqual([addressOf(abandoned)]);
    expect([await at.log.end(0), await at.log.end(1)]).toEqual(ends);
    await at.close();
  });

  it('leaves young copies alone, and raises a fence in every partition all the same', async () => {
    const at = await world();
    const young = await at.store('young');

    expect(await at.collect({ graceMs: 60_000 })).toMatchObject({ epochs: [1, 1], candidates: { count: 0 } });
    expect(await held(at.blobs)).toEqual([addressOf(young)]);
    at.pass(120_000);
    expect(await at.collect({ graceMs: 60_000 })).toMatchObject({ epochs: [2, 2], removed: { count: 1 } });
    await at.close();
  });

  it('refuses a copy that a fence came before, and keeps one that was named before its fence', async () => {
    const at = await world();
    const [late, early] = [await at.store('late'), await at.store('early')];
    // Between the first look and the fence, which is when the collector appends for the first time.
    const append = at.log.append.bind(at.log);
    let isFirst = true;
    at.log.append = async (partition, records) => {
      if (isFirst) {
        isFirst = false;
        await at.name(early);
      }
      return append(partition, records);
    };

    expect(await at.collect()).toMatchObject({ candidates: { count: 2 }, kept: { count: 1 }, removed: { count: 1 } });
    expect(await held(at.blobs)).toEqual([addressOf(early)]);
    expect(await at.name(late).catch(codeOf)).toBe('BLOB_GONE');
    await at.collect();
    expect(await held(at.blobs)).toEqual([addressOf(early)]);
    await at.close();
  });

  it('forgets a removed copy when every proposal that could name it is stale, and not before', async () => {
    const at = await world();
    const gone = await at.store('gone');
    await at.collect();
    expect(await at.collect()).toMatchObject({ epochs: [2, 2], forgotten: 0 });
    expect(await at.name(gone, 1).catch(codeOf)).toBe('BLOB_GONE');

    expect(await at.collect()).toMatchObject({ epochs: [3, 3], forgotten: 2 });
    expect(await at.graph.copies(0, [gone.digest])).toEqual([]);
    expect(await at.name(gone, 0).catch(codeOf)).toBe('GC_EPOCH_STALE');
    await at.close();
  });

  it('takes up what a run left behind that ended between its fence and its deletions', async () => {
    const at = await world();
    const abandoned = await at.store('abandoned');
    const remove = at.blobs.delete.bind(at.blobs);
    at.blobs.delete = async () => {
      throw new Error('killed');
    };
    await expect(at.collect()).rejects.toThrow('killed');
    expect(await held(at.blobs)).toEqual([addressOf(abandoned)]);

    at.blobs.delete = remove;
    expect(await at.collect()).toMatchObject({ epochs: [2, 2], removed: { count: 1 } });
    expect(await held(at.blobs)).toEqual([]);
    await at.close();
  });

  it('takes up what a run left behind that ended between its deletions and their record', async () => {
    const at = await world();
    const gone = await at.store('gone');
    const remove = at.blobs.delete.bind(at.blobs);
    at.blobs.delete = async (address) => {
      await remove(address);
      throw new Error('killed');
    };
    await expect(at.collect()).rejects.toThrow('killed');

    at.blobs.delete = remove;
    await at.collect();
    expect(await at.graph.retiredCopies(1, { limit: 10 })).toMatchObject([{ ...addressOf(gone), sweptEpoch: 2 }]);
    expect(await at.collect()).toMatchObject({ epochs: [3, 3], forgotten: 0 });
    expect(await at.collect()).toMatchObject({ epochs: [4, 4], forgotten: 2 });
    expect(await at.graph.retiredCopies(1, { limit: 10 })).toEqual([]);
    await at.close();
  });

  it('keeps a copy when the graph it looks at again does not show the fence', async () => {
    const at = await world();
    const named = await at.store('named');
    await at.name(named);
    // A graph that went back to before the copy was named, whenever copies are asked for.
    const graph = wrapGraph(at.graph, { copies: async () => [] });

    expect(await collect({ ...at, graph }, { graceMs: 0 })).toMatchObject({
      candidates: { count: 1 },
      kept: { count: 1 },
    });
    expect(await held(at.blobs)).toEqual([addressOf(named)]);
    await at.close();
  });

  it('believes a graph only while it shows what the log held: one that is filled again is waited for', async () => {
    const at = await world();
    const named = await at.store('named');
    await at.name(named);
    let lookups = 0;
    // Emptied, and filled again when it was looked at a third time.
    const checkpoint = async (partition: number) =>
      (lookups += 1) < 3 ? { ...(await at.graph.checkpoint(partition)), offset: -1 } : at.graph.checkpoint(partition);
    const graph = wrapGraph(at.graph, { checkpoint });
    expect(await collect({ ...at, graph }, { graceMs: 0 })).toMatchObject({ candidates: { count: 0 } });

    const emptied = wrapGraph(at.graph, {
      checkpoint: async (partition) => ({ ...(await at.graph.checkpoint(partition)), offset: -1 }),
      copies: async () => [],
    });
    const ends = await at.log.end(0);
    const run = collect({ ...at, graph: emptied }, { graceMs: 0, outcomeWaitMs: 50 });
    expect(await run.catch(codeOf)).toBe('UNAVAILABLE');
    expect(await at.log.end(0)).toBe(ends);
    expect((await at.graph.blob(repo, named.digest))?.retiredEpoch).toBeNull();
    await at.close();
  });

  it('appends nothing when the graph goes back while it looks', async () => {
    const at = await world();
    const named = await at.store('named');
    await at.name(named);
    let isEmptied = false;
    const graph = wrapGraph(at.graph, {
      checkpoint: async (partition) => {
        const known = await at.graph.checkpoint(partition);
        return isEmptied ? { ...known, offset: -1 } : known;
      },
      copies: async () => {
        isEmptied = true;
        return [];
      },
    });
    const ends = await at.log.end(0);
    expect(await collect({ ...at, graph }, { graceMs: 0 }).catch(codeOf)).toBe('UNAVAILABLE');
    expect(await at.log.end(0)).toBe(ends);
    await at.close();
  });

  it('lets several collectors at once do no harm, and none of them wait for ever', async () => {
    const at = await world();
    const named = await at.store('named');
    await at.name(named);
    for (let i = 0; i < 20; i += 1) await at.store(`abandoned ${i}`);

    // Three of them make each other's records stale, which are made again.
    const runs = await Promise.all([at.collect(), at.collect(), at.collect()]);

    expect(await held(at.blobs)).toEqual([addressOf(named)]);
    expect(Math.max(...runs.flatMap(({ epochs }) => epochs))).toBeGreaterThanOrEqual(3);
    await at.close();
  });

  it('says that the projection is away when its fence is not passed in time, and has removed nothing', async () => {
    const at = await world();
    const abandoned = await at.store('abandoned');
    await at.projector.stop();

    expect(await at.collect({ outcomeWaitMs: 50 }).catch(codeOf)).toBe('OUTCOME_UNKNOWN');
    expect(await held(at.blobs)).toEqual([addressOf(abandoned)]);
    await at.close();
  });
});
