import { existsSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ask, commitFile, messagesAt, until } from '../cluster/gateway-client.js';
import { type Workspace, workspace } from '../journey/harness/archives.js';
import { AppProcess } from '../journey/harness/app-process.js';
import { type Server, startServer } from '../journey/harness/server.js';
import { varveAt } from '../journey/harness/varve.js';
import { writtenRepo as repo, Writers } from './embedded-writers.js';

const ends = ['', '-wal', '-shm'];

const running: (() => Promise<unknown>)[] = [];
let work: Workspace;
/** Two states of one folder, its server stopped each time. */
let older: string;
let newer: string;
/** Where the newer one ends. */
let position: string;

beforeAll(async () => {
  work = await workspace();
  [older, newer] = [join(work.path, 'older'), join(work.path, 'newer')];
  const data = join(work.path, 'data');
  for (const [name, state] of Object.entries({ older, newer })) {
    const server = await start(data);
    const writers = await Writers.start(server.url);
    await until('enough is written', async () => writers.acknowledged > (name === 'older' ? 100 : 300));
    await writers.stop();
    position = (await commitFile(server.url, repo, `last-${name}`)).position as string;
    expect(await server.stop()).toBe(0);
    await cp(data, state, { recursive: true });
  }
}, 120_000);
afterEach(() => Promise.all(running.splice(0).map((kill) => kill())));
afterAll(() => work?.remove());

/** A folder of the newer state, but for the files of these databases, which are of the older one or are not there. */
async function mixed(name: string, files: Readonly<Record<string, 'older' | 'none'>>): Promise<string> {
  const data = join(work.path, name);
  await cp(newer, data, { recursive: true });
  for (const [file, from] of Object.entries(files)) await replace(data, file, from === 'older' ? older : undefined);
  return data;
}

async function replace(data: string, file: string, from: string | undefined): Promise<void> {
  for (const end of ends) {
    await rm(join(data, file + end), { force: true });
    if (from !== undefined && existsSync(join(from, file + end)))
      await cp(join(from, file + end), join(data, file + end));
  }
}

async function expectSound({ url }: Server): Promise<void> {
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect((await messagesAt(url, repo, position))[0]).toBe('last-newer');
  expect(await varveAt(url)('fsck')).toMatchObject({ code: 0 });
  expect(await varveAt(url).json('rebuild')).toMatchObject({ sameAsBefore: true });
  expect((await commitFile(url, repo, 'afterwards')).status).toBe(201);
}

it.each([
  ['is not there', { 'graph.db': 'none' }],
  ['is of an older time', { 'graph.db': 'older' }],
  ['is of an older time, as the audit trees are,', { 'graph.db': 'older', 'audit.db': 'older' }],
  ['is not there, as the job queue is not,', { 'graph.db': 'none', 'jobs.db': 'none' }],
] as const)('a graph that %s is made whole from the log', async (name, files) => {
  const server = await start(await mixed(name, files));
  await expectSound(server);
  expect(await server.stop()).toBe(0);
});

it('a log of an older time halts: it is read, nothing is written, and all is well with the right one', async () => {
  const data = await mixed('log is older', { 'log.db': 'older' });
  // More than once: a start is no remedy.
  for (let n = 0; n < 2; n += 1) {
    const server = await startHalted(data);
    const url = server.url as string;
    const before = await ask(url, '/state');
    expect(await commitFile(url, repo, `into-the-gap-${n}`)).toMatchObject(refused);
    expect(await ask(url, `/repos/${encodeURIComponent(repo)}/commits?rev=main`)).toMatchObject({ status: 200 });
    expect((await ask(url, '/state')).json).toEqual(before.json);
    const health = await fetch(`${url}/readyz`);
    expect({ status: health.status, text: await health.text() }).toEqual({
      status: 503,
      text: expect.stringContaining('is not whole') as string,
    });
    expect(server.output()).toMatch(/halted: the event log .* is not whole/);
    expect(await server.end('SIGTERM')).toBe(0);
  }
  await replace(data, 'log.db', newer);
  const server = await start(data);
  await expectSound(server);
  await server.stop();
});

it('a log that is not there is not taken for an empty one', async () => {
  const data = await mixed('no log', { 'log.db': 'none' });
  const server = await startHalted(data);
  expect(await commitFile(server.url as string, repo, 'x')).toMatchObject(refused);
  await server.end('SIGTERM');
  await replace(data, 'log.db', newer);
  const again = await start(data);
  await expectSound(again);
  await again.stop();
});

it('a shorter history is accepted by removing the graph, and still told of by the audit trees', async () => {
  const server = await start(await mixed('log is older, no graph', { 'log.db': 'older', 'graph.db': 'none' }));
  expect((await commitFile(server.url, repo, 'goes-on')).status).toBe(201);
  for (const path of ['/audit/checkpoint', '/audit/checkpoint']) {
    expect(await ask(server.url, path)).toMatchObject({
      code: 'LOG_TRUNCATED',
      json: { detail: expect.stringContaining('Restore it from a copy') as string },
    });
  }
  expect(server.output()).toContain('"LOG_TRUNCATED"');
  expect(await server.stop()).toBe(0);
});

async function start(data: string): Promise<Server> {
  const server = await startServer({ data });
  running.push(() => server.kill());
  return server;
}

/** By any write; the reason is in the words. */
const refused = {
  status: 503,
  code: 'UNAVAILABLE',
  json: { detail: expect.stringContaining('is not whole') as string },
};

/** One that answers, and says that it is not ready. */
async function startHalted(data: string): Promise<AppProcess> {
  const started = new AppProcess({ app: 'standalone', env: { VARVE_DATA: data } });
  running.push(() => started.end('SIGKILL'));
  await until('it answers', async () => {
    expect(started.isOver).toBe(false);
    return started.url !== undefined && (await fetch(`${started.url}/readyz`)).status === 503;
  });
  return started;
}
