import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { rebuild } from '#projection/rebuild';
import { ask, until } from '../cluster/gateway-client.js';
import { collectBytes } from '../fixture/bytes-random.js';
import { type Workspace, workspace } from '../journey/harness/archives.js';
import { branchWriter, clientOf, loadWriter } from '../journey/harness/crash-writer.js';
import { randomOf } from '../journey/harness/random.js';
import { type Server, startServer } from '../journey/harness/server.js';
import { storedIn } from '../journey/harness/stored.js';
import { law, same, show } from '../simulation/law.js';
import {
  checkClosure,
  checkMoves,
  checkReads,
  checkRegisters,
  checkUnknown,
  type Doors,
  reflogOf,
} from './check-after-healing.js';
import { rounds } from './embedded-rounds.js';
import { seed } from './fault-row.js';
import { readHistory } from './history.js';
import { Load } from './load.js';

const repo = 'kill/files';

let work: Workspace;
let server: Server | undefined;
beforeAll(async () => {
  work = await workspace();
});
afterAll(async () => {
  await server?.kill();
  await work?.remove();
});

it(`keeps every law over ${rounds} kills at random instants (VARVE_TEST_SEED=${seed})`, async () => {
  const random = randomOf(seed);
  const data = join(work.path, 'data');
  // The collector takes what is garbage at once.
  const env = { VARVE_GC_GRACE_HOURS: '0' };
  server = await startServer({ data, env });
  const doors: Doors = {
    get gateways() {
      return [(server as Server).url];
    },
  };
  const load = await Load.start({ name: 'kill', seed, folder: work.path, gateways: () => doors.gateways });
  const setUp = clientOf(server.url);
  await setUp.createRepository(repo);
  setUp.close();
  const writers = [branchWriter(repo, 'main', seed), loadWriter('kill/load', seed + 1)];

  for (let round = 0; round < rounds; round += 1) {
    const { url } = server;
    const busy = [...writers.map((writer) => writer.run(url)), readAlong(url), collectAlong(url)];
    await sleep(random() * 500);
    await server.kill();
    await Promise.all(busy);

    server = await startServer({ data, env });
    expect((await storedIn(data)).staging).toEqual([]);
    const client = clientOf(server.url);
    for (const writer of writers) {
      await writer.settle(server.url);
      for (const { name, commit } of writer.acknowledged.slice(-5)) {
        const place = writer === writers[0] ? repo : name;
        expect({ name, id: (await client.commit(place, commit)).id }).toEqual({ name, id: commit });
      }
    }
    client.close();
    const before = load.answered;
    await until('the load goes on', async () => load.answered > before + 5);
  }

  await load.stop();
  const history = readHistory(load.history);
  await checkUnknown(doors, load);
  await checkClosure(doors);
  // What nobody was told the end of has one now; what the log says does not change any more.
  const replayed = openMemoryGraphStore();
  const told = (await ask(server.url, '/state')).json;
  await server.stop();
  await expectReplay(data, replayed);
  const moves = (await Promise.all(load.repos.map((each) => reflogOf(replayed, each)))).flat();
  checkMoves(history, moves);
  checkRegisters(history, moves);
  server = await startServer({ data, env });
  expect((await ask(server.url, '/state')).json).toEqual(told);
  await checkReads(doors, load, replayed);
  expect(history.filter(({ end }) => end.type === 'ok').length).toBeGreaterThan(5 * rounds);
  expect(writers.map(({ acknowledged }) => acknowledged.length > 0)).toEqual([true, true]);
}, 900_000);

/** I1: the graph is what a replay of the log gives. */
async function expectReplay(data: string, into: ReturnType<typeof openMemoryGraphStore>): Promise<void> {
  const log = openSqliteEventLog(join(data, 'log.db'), { now: Date.now });
  const graph = openSqliteGraphStore(join(data, 'graph.db'));
  await rebuild({ log, graph: into });
  const [is, wanted] = [await graph.checkpoint(0), await into.checkpoint(0)];
  law('I1', same(is, wanted), `the graph is ${show(is)}, a replay gives ${show(wanted)}`);
  await log.close();
  await graph.close();
}

/** Checks out until the server is gone: whatever came whole has the length that it should have. */
async function readAlong(url: string): Promise<void> {
  const client = clientOf(url);
  try {
    for (;;) {
      const { download } = await client.rootfs(repo, 'main');
      expect((await collectBytes(download.chunks())).length).toBe(download.lengthBytes);
    }
  } catch (error) {
    if (!/UNAVAILABLE|CANCELLED/.test(String((error as { code?: unknown }).code))) throw error;
  } finally {
    client.close();
  }
}

async function collectAlong(url: string): Promise<void> {
  while ((await ask(url, '/gc', { method: 'POST' })).status !== 0) await sleep(100);
}
