import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { ask, commitFile, createRepository, messagesAt } from '../cluster/gateway-client.js';
import { recordsOf } from '../fixture/wrapped-stores.js';
import { type Workspace, workspace } from '../journey/harness/archives.js';
import { type Server, startServer } from '../journey/harness/server.js';
import { varveAt } from '../journey/harness/varve.js';

const repo = 'clock/app';
const minuteMs = 60_000;

let work: Workspace;
let server: Server | undefined;
beforeAll(async () => {
  work = await workspace();
});
afterEach(() => server?.kill());
afterAll(() => work?.remove());

/** A server whose clock is off by what stands in a file, which may change under it. */
async function startAt(data: string): Promise<Server> {
  const preload = join(import.meta.dirname, 'embedded-clock.mjs');
  server = await startServer({ data, env: { NODE_OPTIONS: `--import=${preload}`, CLOCK_FILE: clockFile() } });
  return server;
}

function clockFile(): string {
  return join(work.path, 'clock');
}

function setClock(minutesAhead: number): void {
  writeFileSync(clockFile(), String(minutesAhead * minuteMs));
}

it('a clock that jumps, back and forth, changes no decision: all is written in order, and times only grow', async () => {
  const data = join(work.path, 'jumps');
  setClock(0);
  const { url } = await startAt(data);
  expect((await createRepository(url, repo)).status).toBe(201);
  const names: string[] = [];
  let position = '';
  for (const [n, minutes] of [0, 4, -4, -60 * 24 * 365, 3, -1, 0].entries()) {
    setClock(minutes);
    for (const part of ['a', 'b']) {
      const name = `file-${n}-${part}`;
      const { status, position: at } = await commitFile(url, repo, name);
      expect({ name, status }).toEqual({ name, status: 201 });
      position = at as string;
      names.push(name);
    }
  }
  expect((await messagesAt(url, repo, position)).toReversed().slice(1)).toEqual(names);
  expect(await varveAt(url)('fsck')).toMatchObject({ code: 0, stdout: '' });
  const state = (await ask(url, '/state')).json;
  expect(await varveAt(url).json('rebuild')).toMatchObject({ sameAsBefore: true });
  await server?.stop();
  const log = openSqliteEventLog(join(data, 'log.db'), { now: Date.now });
  const times = (await recordsOf(log)).map(({ time }) => time);
  await log.close();
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  // A start on another day makes the same of it.
  setClock(-60 * 24);
  const again = await startAt(data);
  expect((await ask(again.url, '/state')).json).toEqual(state);
});
