import { setTimeout as sleep } from 'node:timers/promises';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import type { LogRecord } from '#core/event';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import { Projector } from '#projection/follow';
import { project } from '#projection/project';
import { rebuild } from '#projection/rebuild';
import { app } from '../fixture/event-builder.js';
import { GrowingHistory } from '../fixture/growing-history.js';
import { rowsOf } from '../fixture/graph-rows.js';
import { recordsOf, wrapLog } from '../fixture/wrapped-stores.js';
import { OwnRedis } from '../fixture/redis-server.js';

let server: OwnRedis;
let log: EventLog;
let history: GrowingHistory;
const opened: GraphStore[] = [];
const running: Projector[] = [];

beforeEach(async () => {
  let now = 1_000;
  log = openMemoryEventLog({ now: () => (now += 10) });
  history = new GrowingHistory();
  server = await OwnRedis.start();
});
afterEach(async () => {
  server.thaw();
  await Promise.all(running.splice(0).map((projector) => projector.stop()));
  for (const graph of opened.splice(0)) await graph.close();
  await server.stop();
});

async function openGraph(): Promise<GraphStore> {
  const graph = await openRedisGraphStore({ ...server.address, partitionCount: 1 });
  opened.push(graph);
  return graph;
}

function projecting(graph: GraphStore): Projector {
  const projector = new Projector({ log, graph });
  running.push(projector);
  projector.start();
  return projector;
}

async function expectReplay(graph: GraphStore): Promise<void> {
  const expected = openMemoryGraphStore();
  await rebuild({ log, graph: expected });
  expect(await graph.checkpoint(0)).toEqual(await expected.checkpoint(0));
  expect(await rowsOf(graph, app)).toEqual(await rowsOf(expected, app));
}

/** Until it is caught up, however often the server was away in between. */
async function caughtUp(projector: Projector): Promise<void> {
  for (;;) {
    try {
      return await projector.caughtUp();
    } catch (error) {
      if (projector.halted) throw error;
      await sleep(50);
    }
  }
}

describe('a Redis that loses things', () => {
  it('is filled again when it is emptied under a running projector', async () => {
    const [graph, reader] = [await openGraph(), await openGraph()];
    const projector = projecting(graph);
    await log.append(0, history.take(200));
    await projector.caughtUp();
    await rowsOf(reader, app);
    await server.ask((client) => client.flushall());
    expect(await reader.checkpoint(0)).toMatchObject({ offset: -1 });
    expect(await reader.repository(app)).toBeUndefined();
    await log.append(0, history.take(50));
    await projector.caughtUp();
    await expectReplay(graph);
    await expectReplay(reader);
  });

  it('is filled again when only some partition lost its checkpoint', async () => {
    const graph = await openGraph();
    const projector = projecting(graph);
    await log.append(0, history.take(80));
    await projector.caughtUp();
    await server.ask(async (client) => client.del(await client.keys('*:checkpoint')));
    await log.append(0, history.take(5));
    await projector.caughtUp();
    await expectReplay(graph);
  });

  it('goes on from an older snapshot, and nobody reads what came after it from memory', async () => {
    const [graph, reader] = [await openGraph(), await openGraph()];
    const projector = projecting(graph);
    await log.append(0, history.take(150));
    await projector.caughtUp();
    await server.snapshot();
    await log.append(0, history.take(150));
    await projector.caughtUp();
    const last = (await reader.repository(app))!.commits - 1;
    expect(await reader.commitAt(app, last)).toBeDefined();
    await projector.stop();
    await server.goBack();
    await sleep(200);
    // As it is now, not as it was remembered.
    expect(await eventually(() => reader.commitAt(app, last))).toBeUndefined();
    expect((await reader.checkpoint(0)).offset).toBe(150);
    const again = projecting(graph);
    await caughtUp(again);
    await expectReplay(graph);
    await expectReplay(reader);
  });

  it('is followed by a log that went back with it, and shows what that log says', async () => {
    const [graph, reader] = [await openGraph(), await openGraph()];
    await log.append(0, history.take(100));
    let projector = projecting(graph);
    await projector.caughtUp();
    await server.snapshot();
    await log.append(0, history.take(100));
    await projector.caughtUp();
    await rowsOf(reader, app);
    await projector.stop();
    await server.goBack();
    // Another hundred in the place of those that are gone.
    log = branchedAt(log, 100);
    history.take(37);
    await log.append(0, history.take(100));
    projector = projecting(graph);
    await caughtUp(projector);
    await expectReplay(reader);
  });

  it('says UNAVAILABLE within seconds when it is gone, and is found again', async () => {
    const graph = await openGraph();
    const projector = projecting(graph);
    await log.append(0, history.take(20));
    await projector.caughtUp();
    await server.snapshot();
    await server.kill();
    const begun = Date.now();
    await expect(graph.checkpoint(0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(Date.now() - begun).toBeLessThan(30_000);
    await log.append(0, history.take(20));
    await server.goBack();
    await caughtUp(projector);
    await expectReplay(graph);
  });

  it('says UNAVAILABLE within seconds when it hangs, and goes on when it does', async () => {
    const graph = await openGraph();
    const projector = projecting(graph);
    await log.append(0, history.take(20));
    await projector.caughtUp();
    server.freeze();
    const begun = Date.now();
    await expect(graph.refs(app)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(Date.now() - begun).toBeLessThan(60_000);
    await log.append(0, history.take(20));
    server.thaw();
    await caughtUp(projector);
    await expectReplay(graph);
  });

  it('is given the scripts again when it has forgotten them', async () => {
    const graph = await openGraph();
    const projector = projecting(graph);
    for (let round = 0; round < 5; round += 1) {
      await server.ask((client) => client.script('FLUSH'));
      await log.append(0, history.take(10));
      await projector.caughtUp();
    }
    await server.ask((client) => client.script('FLUSH'));
    await rebuild({ log, graph });
    await expectReplay(graph);
  });

  it('writes nothing of a batch when its memory is full, says STORAGE_FULL, and goes on when there is room', async () => {
    const graph = await openGraph();
    await log.append(0, history.take(200));
    const records = await recordsOf(log);
    let at = (await project(graph, 0, await graph.checkpoint(0), records.slice(0, 100)))!;
    const keysBefore = await dump(server);
    // Each step is larger than what is left, at some point before its end.
    for (const room of [0, 1_000, 20_000, 40_000]) {
      await server.ask(async (client) => {
        const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
        await client.config('SET', 'maxmemory', used + room);
      });
      const applied = await project(graph, 0, at, records.slice(at.offset + 1, at.offset + 51)).catch(codeOf);
      if (applied === 'STORAGE_FULL') expect(await dump(server)).toEqual(keysBefore);
      else if (applied && typeof applied === 'object') break;
    }
    await server.ask((client) => client.config('SET', 'maxmemory', 1));
    const before = await dump(server);
    at = await graph.checkpoint(0);
    await expect(project(graph, 0, at, records.slice(at.offset + 1))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await dump(server)).toEqual(before);
    expect((await graph.refs(app)).length).toBeGreaterThan(0);
    const projector = projecting(graph);
    await sleep(100);
    expect(projector.halted).toBeUndefined();
    await server.ask((client) => client.config('SET', 'maxmemory', 0));
    await caughtUp(projector);
    await expectReplay(graph);
  });

  it('says what it has lost when keys are gone, and is whole after a rebuild', async () => {
    const graph = await openGraph();
    await log.append(0, history.take(100));
    await projecting(graph).caughtUp();
    await running.splice(0)[0]?.stop();
    await server.ask(async (client) => client.del(await client.keys('*:c:0:*')));
    await log.append(0, history.take(5));
    const records = (await recordsOf(log)).slice(101);
    await expect(project(graph, 0, await graph.checkpoint(0), records)).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringMatching(/has lost.*rebuild/),
    });
    await rebuild({ log, graph });
    await projecting(graph).caughtUp();
    await expectReplay(graph);
  });
});

async function eventually<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await sleep(50);
    }
  }
}

function codeOf(error: { readonly code: string }): string {
  return error.code;
}

/** A log with the same records up to one of them, and none after it. */
function branchedAt(log1: EventLog, last: number): EventLog {
  const later = openMemoryEventLog({ now: () => 5_000 });
  async function* read(partition: number, from: number) {
    for await (const batch of log1.read(partition, from)) {
      const kept = batch.filter(({ offset }) => offset <= last);
      if (kept.length > 0) yield kept;
    }
  }
  // The first record of the later one says what log it is.
  const fromLater = (from: number) => Math.max(from - last, 1);
  const moved = (batch: readonly LogRecord[]) => batch.map((record) => ({ ...record, offset: record.offset + last }));
  return wrapLog(later, {
    end: async (partition) => (await later.end(partition)) + last,
    async *read(partition, from) {
      yield* read(partition, from);
      for await (const batch of later.read(partition, fromLater(from))) yield moved(batch);
    },
    async *follow(partition, from, signal) {
      yield* read(partition, from);
      for await (const batch of later.follow(partition, fromLater(from), signal)) yield moved(batch);
    },
  });
}

/** Every key with its value. */
async function dump(from: OwnRedis): Promise<Record<string, string>> {
  return from.ask(async (client) => {
    const keys = (await client.keys('*')).toSorted();
    const values = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
    return Object.fromEntries(keys.map((key, i) => [key, String(values[i]?.toString('hex'))]));
  });
}
