import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { GraphKeys } from '#adapters/redis/graph-keys';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import { parseRepositoryName } from '#core/name';
import type { EventLog } from '#ports/event-log';
import type { AppliedNotice, GraphStore } from '#ports/graph-store';
import { Projector } from '#projection/follow';
import { project } from '#projection/project';
import { rebuild } from '#projection/rebuild';
import { app, main } from '../fixture/event-builder.js';
import { GrowingHistory } from '../fixture/growing-history.js';
import { OwnRedis } from '../fixture/redis-server.js';
import { recordsOf } from '../fixture/wrapped-stores.js';
import { rowsOf } from '../fixture/graph-rows.js';

let server: OwnRedis;
let prefix: string;
const opened: { close(): Promise<void> | void }[] = [];
const running: Projector[] = [];

beforeAll(async () => void (server = await OwnRedis.start()));
afterAll(() => server.stop());
beforeEach(() => void (prefix = `${randomBytes(4).toString('hex')}:`));
afterEach(async () => {
  await Promise.all(running.splice(0).map((projector) => projector.stop()));
  for (const store of opened.splice(0)) await store.close();
});

/** A process's own way to the graph of this test. */
async function openGraph(own = prefix): Promise<GraphStore> {
  const graph = await openRedisGraphStore({ ...server.address, partitionCount: 1, prefix: own });
  opened.push(graph);
  return graph;
}

function projecting(log: EventLog, graph: GraphStore): Projector {
  const projector = new Projector({ log, graph });
  running.push(projector);
  projector.start();
  return projector;
}

function newLog(): EventLog {
  let now = 1_000;
  return openMemoryEventLog({ now: () => (now += 10) });
}

/** What a straight replay gives. */
async function replayed(log: EventLog): Promise<GraphStore> {
  const graph = openMemoryGraphStore();
  await rebuild({ log, graph });
  return graph;
}

async function expectReplay(log: EventLog, graph: GraphStore): Promise<void> {
  const expected = await replayed(log);
  expect(await graph.checkpoint(0)).toEqual(await expected.checkpoint(0));
  expect(await rowsOf(graph, app)).toEqual(await rowsOf(expected, app));
}

describe('a graph in Redis', () => {
  it('has the rows and the digest of a replay in memory', async () => {
    const [log, graph] = [newLog(), await openGraph()];
    await log.append(0, new GrowingHistory().take(700));
    await projecting(log, graph).caughtUp();
    await expectReplay(log, graph);
  });

  it('has them when it is rebuilt, and when it goes on from there', async () => {
    const [log, graph, history] = [newLog(), await openGraph(), new GrowingHistory()];
    await log.append(0, history.take(900));
    expect(await rebuild({ log, graph })).toMatchObject({ sameAsBefore: false });
    await expectReplay(log, graph);
    await log.append(0, history.take(100));
    await projecting(log, graph).caughtUp();
    expect(await rebuild({ log, graph })).toMatchObject({ sameAsBefore: true });
    await expectReplay(log, graph);
  });

  it('takes each record once from projectors that race', async () => {
    const [log, history] = [newLog(), new GrowingHistory()];
    const graphs = await Promise.all([openGraph(), openGraph(), openGraph()]);
    const projectors = graphs.map((graph) => projecting(log, graph));
    for (let round = 0; round < 40; round += 1) {
      await log.append(0, history.take(1 + (round % 9)));
      await sleep(round % 4);
    }
    for (const projector of projectors) await projector.caughtUp();
    for (const graph of graphs) await expectReplay(log, graph);
  });

  it('refuses a batch of one who was asleep, and changes nothing', async () => {
    const [log, history] = [newLog(), new GrowingHistory()];
    const [awake, asleep] = [await openGraph(), await openGraph()];
    await log.append(0, history.take(20));
    const seen = await asleep.checkpoint(0);
    await projecting(log, awake).caughtUp();
    const records = await recordsOf(log);
    const before = await awake.checkpoint(0);
    // From where it fell asleep, and from where it never was.
    expect(await project(asleep, 0, seen, records)).toBeUndefined();
    const batch = { previousOffset: seen.offset, offset: 4, recordDigest: 'a', stateDigest: 'b', changes: [] };
    expect(await asleep.apply(0, batch)).toBe(false);
    expect(await awake.checkpoint(0)).toEqual(before);
  });

  it('tells other processes what was applied, and each once', async () => {
    const [log, history] = [newLog(), new GrowingHistory()];
    const [writer, listener] = [await openGraph(), await openGraph()];
    const heard: AppliedNotice[] = [];
    const said: AppliedNotice[] = [];
    listener.onApplied((notice) => void heard.push(notice));
    writer.onApplied((notice) => void said.push(notice));
    await log.append(0, history.take(30));
    await projecting(log, writer).caughtUp();
    while (heard.length < said.length) await sleep(5);
    expect(heard).toEqual(JSON.parse(JSON.stringify(said)));
    expect(heard.at(-1)).toMatchObject({ partition: 0, offset: 30 });
  });

  it('goes on being read and written while it is made again, and no reader sees it go back', async () => {
    const [log, history] = [newLog(), new GrowingHistory()];
    const [writer, reader, rebuilder] = [await openGraph(), await openGraph(), await openGraph()];
    await log.append(0, history.take(1_000));
    const projector = projecting(log, writer);
    await projector.caughtUp();
    const ending = new AbortController();
    const { signal } = ending;
    const appending = (async () => {
      while (!signal.aborted) {
        await log.append(0, history.take(3));
        await sleep(1);
      }
    })();
    const reading = (async () => {
      let last = 0;
      while (!signal.aborted) {
        const { offset } = await reader.checkpoint(0);
        expect(offset).toBeGreaterThanOrEqual(last);
        last = offset;
        const tip = await reader.ref(app, main);
        expect(await reader.commit(app, tip?.commit as never)).toBeDefined();
        expect(await reader.commits(app, { limit: 3 })).toHaveLength(3);
      }
    })();
    for (let round = 0; round < 3; round += 1) await rebuild({ log, graph: rebuilder });
    ending.abort();
    await Promise.all([appending, reading]);
    await projector.caughtUp();
    await expectReplay(log, reader);
  });

  it('is made again by one process at a time, and keeps the keys of one generation only', async () => {
    const [log, history] = [newLog(), new GrowingHistory()];
    const [one, other] = [await openGraph(), await openGraph()];
    await log.append(0, history.take(300));
    const generation = await one.beginGeneration();
    await expect(other.beginGeneration()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/another process is making the graph again.*ends in \d+ s/),
    });
    await generation.discard();
    for (let round = 0; round < 3; round += 1) await rebuild({ log, graph: other });
    const generationsLeft = async () => {
      const keys = await server.ask((client) => client.keys(`${prefix}v2:g*:*`));
      return new Set(keys.map((key) => key.split(':')[2])).size;
    };
    while ((await generationsLeft()) > 1) await sleep(10);
    await expectReplay(log, one);
  });

  it('removes what a process that died left behind, once its claim is over', async () => {
    const [log, history] = [newLog(), new GrowingHistory()];
    await log.append(0, history.take(300));
    const [dead, alive] = [await openGraph(), await openGraph()];
    await projecting(log, alive).caughtUp();
    const left = await dead.beginGeneration();
    await project(left, 0, await left.checkpoint(0), await recordsOf(log));
    // It is as dead as this one: nobody renews the claim any more.
    const { claim, generations } = new GraphKeys(prefix, 1);
    expect(await server.ask((client) => client.del(claim))).toBe(1);
    await rebuild({ log, graph: alive });
    await expect(left.promote()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    while ((await server.ask((client) => client.smembers(generations))).length > 1) await sleep(10);
    await expectReplay(log, alive);
  });

  it('shares a server with another one', async () => {
    const [log, otherLog, history] = [newLog(), newLog(), new GrowingHistory()];
    const [graph, other] = [await openGraph(), await openGraph(`other-${prefix}`)];
    await log.append(0, history.take(100));
    await otherLog.append(0, new GrowingHistory().take(40));
    await projecting(log, graph).caughtUp();
    await projecting(otherLog, other).caughtUp();
    await rebuild({ log: otherLog, graph: other });
    await expectReplay(log, graph);
    await expectReplay(otherLog, other);
    expect(await other.repository(parseRepositoryName('nowhere'))).toBeUndefined();
  });

  it('judges by commits that lie far back: parents, configs, and a fast-forward over many', async () => {
    const [log, graph, history] = [newLog(), await openGraph(), new GrowingHistory()];
    await log.append(0, history.take(2_000));
    await rebuild({ log, graph });
    // Another process, which has nothing at hand.
    const other = await openGraph();
    await log.append(0, history.take(60));
    await projecting(log, other).caughtUp();
    await expectReplay(log, graph);
  });
});
