import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { VarveError } from '#core/error';
import { Projector } from '#projection/follow';
import { commitBatch, layerBlob, recordBytes, txidOf } from '../../../test/fixture/event-builder.js';
import { wrapGraph, wrapLog } from '../../../test/fixture/wrapped-stores.js';
import { projectorHealth } from './open-projector.js';
import { healthOf } from './store-health.js';

const well = { failure: () => undefined, behind: () => undefined };
const log = openMemoryEventLog({ now: () => 1_000 });
const graph = openMemoryGraphStore();
const blobs = openMemoryBlobStore();
const away = () => Promise.reject(new VarveError('UNAVAILABLE', 'nobody listens'));

describe('a process', () => {
  it('is ready when its stores answer', async () => {
    expect(await healthOf(well, { log, graph, blobs }).ready()).toEqual({ status: 'ok' });
  });

  it('names every store that does not', async () => {
    const stores = { log: wrapLog(log, { end: away }), graph: wrapGraph(graph, { checkpoint: away }), blobs };
    expect(await healthOf(well, stores).ready()).toEqual({
      status: 'failed',
      reason: 'the event log: nobody listens; the graph: nobody listens',
    });
  });

  it('asks no store once it knows that it cannot work', async () => {
    const behind = new VarveError('NOT_PROJECTED', 'being made again');
    const stores = { log: wrapLog(log, { end: away }), graph, blobs };
    const health = healthOf({ failure: () => undefined, behind: () => behind }, stores);
    expect(await health.ready()).toEqual({ status: 'failed', reason: 'being made again' });
  });
});

describe('a projector', () => {
  it('tells how many records it is behind, and why it has halted', async () => {
    const record = recordBytes(commitBatch(txidOf('one'), { blobs: [layerBlob('one')] }));
    const filled = openMemoryEventLog({ now: () => 1_000 });
    await filled.append(0, [record, record]);
    expect(await projectorHealth({ halted: undefined }, { log: filled, graph }).ready()).toEqual({
      status: 'ok',
      lag: 3,
    });
    const projected = openMemoryGraphStore();
    const projector = new Projector({ log: filled, graph: projected });
    projector.start();
    await projector.caughtUp();
    await projector.stop();
    expect(await projectorHealth(projector, { log: filled, graph: projected }).ready()).toEqual({
      status: 'ok',
      lag: 0,
    });
    const truncated = new Projector({ log: openMemoryEventLog({ now: () => 1_000 }), graph: projected });
    truncated.start();
    await truncated.failure;
    const health = await projectorHealth(truncated, { log: filled, graph: projected }).ready();
    expect(health).toEqual({ status: 'failed', reason: expect.stringContaining('is not whole') as string });
    await truncated.stop();
  });
});
