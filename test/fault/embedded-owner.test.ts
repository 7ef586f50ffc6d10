import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, commitFile, createRepository, until } from '../cluster/gateway-client.js';
import { type Workspace, workspace } from '../journey/harness/archives.js';
import { AppProcess } from '../journey/harness/app-process.js';
import { randomOf } from '../journey/harness/random.js';
import { startAndFail } from '../journey/harness/server.js';
import { varveAt } from '../journey/harness/varve.js';
import { seed } from './fault-row.js';

const repo = 'owner/app';
const random = randomOf(seed);

let work: Workspace;
const started: AppProcess[] = [];
beforeAll(async () => {
  work = await workspace();
});
afterEach(() => Promise.all(started.splice(0).map((one) => one.end('SIGKILL'))));
afterAll(() => work?.remove());

function start(env: Readonly<Record<string, string>>): AppProcess {
  const one = new AppProcess({ app: 'standalone', env });
  started.push(one);
  return one;
}

const refusal = { code: 2, output: expect.stringContaining('DATA_IN_USE') as string };

it(`of several that start on one folder at once, one has it; the next has it the moment that one is killed (VARVE_TEST_SEED=${seed})`, async () => {
  const data = join(work.path, 'data');
  const written: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    const crowd = Array.from({ length: 3 }, () => start({ VARVE_DATA: data }));
    await until(
      'all but one have ended',
      async () => crowd.filter(({ isOver }) => isOver).length >= crowd.length - 1,
      180_000,
    );
    const [owner, ...others] = crowd.filter(({ isOver }) => !isOver);
    expect(others).toEqual([]);
    for (const one of crowd.filter((each) => each !== owner)) {
      expect({ code: await one.ended(), output: one.output() }).toEqual(refusal);
    }
    const url = await (owner as AppProcess).ready();
    expect([201, 200]).toContain((await createRepository(url, repo)).status);
    const busy = (async () => {
      for (let n = 0; ; n += 1) {
        const name = `file-${round}-${n}`;
        if ((await commitFile(url, repo, name)).status !== 201) return;
        written.push(name);
      }
    })();
    await sleep(random() * 500);
    // One that comes too late does no harm to the one that works.
    expect(await startAndFail({ data })).toEqual(refusal);
    await owner?.end('SIGKILL');
    await busy;
  }
  const last = start({ VARVE_DATA: data });
  const url = await last.ready();
  const { json } = await ask(url, `/repos/${encodeURIComponent(repo)}/commits?rev=main&limit=1000`);
  const messages = (json['commits'] as { message: string }[]).map(({ message }) => message);
  expect(written.filter((name) => !messages.includes(name))).toEqual([]);
  expect(await varveAt(url)('fsck')).toMatchObject({ code: 0 });
}, 240_000);

it('a folder is one, by whatever name and for whatever part of it', async () => {
  const data = join(work.path, 'named');
  const owner = start({ VARVE_DATA: data });
  const url = await owner.ready();
  const link = join(work.path, 'link');
  symlinkSync(data, link);
  const elsewhere = join(work.path, 'elsewhere');
  for (const env of [
    { VARVE_DATA: link },
    { VARVE_DATA: elsewhere, VARVE_GRAPH: `sqlite:${join(data, 'graph.db')}` },
    { VARVE_DATA: elsewhere, VARVE_EVENT_LOG: `sqlite:${join(link, 'log.db')}` },
    { VARVE_DATA: elsewhere, VARVE_BLOB_STORE: `file:${data}` },
    { VARVE_DATA: elsewhere, VARVE_AUDIT_STORE: `sqlite:${join(data, 'audit.db')}` },
  ]) {
    const second = start(env);
    expect({ code: await second.ended(), output: second.output() }).toEqual(refusal);
  }
  expect((await createRepository(url, repo)).status).toBe(201);
  expect((await commitFile(url, repo, 'still-there')).status).toBe(201);
}, 240_000);
