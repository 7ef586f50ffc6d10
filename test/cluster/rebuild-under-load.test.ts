import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import type { AppProcess } from '../journey/harness/app-process.js';
import { type Realm, realmOf, startApp } from '../journey/harness/cluster.js';
import { ask, askAt, commitFile, createRepository, messagesAt, until } from './gateway-client.js';

const repos = ['one', 'two', 'three', 'four', 'five', 'six'];

let realm: Realm;
let redis: Redis;
let gateways: AppProcess[] = [];
let projectors: AppProcess[] = [];

beforeAll(async () => {
  realm = await realmOf(randomBytes(8).toString('hex'), 4);
  redis = new Redis(process.env['VARVE_TEST_REDIS'] as string);
  [gateways, projectors] = await Promise.all([
    Promise.all([startApp('gateway', realm), startApp('gateway', realm)]),
    Promise.all([startApp('projector', realm), startApp('projector', realm)]),
  ]);
}, 120_000);
afterAll(async () => {
  await Promise.all([...gateways, ...projectors].map((one) => one.end('SIGKILL')));
  redis?.disconnect();
});

const url = (n: number): string => gateways[n % 2]?.url as string;

/** Those that have a key. */
async function generations(): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const keys of redis.scanStream({ match: `${realm.name}*`, count: 1_000 })) {
    for (const key of keys as string[]) {
      const generation = /:(g\d+-[0-9a-f]+):/.exec(key)?.[1];
      if (generation !== undefined) found.add(generation);
    }
  }
  return found;
}

it('goes on reading and writing while the graph is made again, switches once, and removes the old one', async () => {
  for (const repo of repos) expect((await createRepository(url(0), repo)).status).toBe(201);
  const written = new Map(repos.map((repo) => [repo, [] as string[]]));
  const failures: unknown[] = [];
  const ending = new AbortController();
  const { signal } = ending;
  let count = 0;
  const writers = repos.map(async (repo, i) => {
    for (let n = 0; !signal.aborted; n++) {
      const name = `${repo}-${n}`;
      const answer = await commitFile(url(i + n), repo, name);
      if (answer.status !== 201) failures.push(answer);
      else {
        written.get(repo)?.push(name);
        count++;
      }
    }
  });
  const readers = [0, 1].map(async (n) => {
    while (!signal.aborted) {
      for (const repo of repos) {
        const newest = written.get(repo)?.at(-1);
        const answer = await ask(url(n), `/repos/${repo}`);
        const read = await messagesAt(url(n + 1), repo, answer.position as string);
        // What was acknowledged before the question is in every answer, before, during and after the switch.
        if (newest !== undefined && !read.includes(newest)) failures.push({ repo, newest, read });
      }
    }
  });

  await until('some history', async () => count > 200);
  const before = await generations();
  const countBefore = count;
  const rebuilt = await ask(url(0), '/rebuild', { method: 'POST' });
  expect(rebuilt).toMatchObject({ status: 200, json: { sameAsBefore: true } });
  const countAfter = count;
  await until('writes after the switch', async () => count > countAfter + 50);
  ending.abort();
  await Promise.all([...writers, ...readers]);

  expect(failures).toEqual([]);
  expect(countAfter).toBeGreaterThanOrEqual(countBefore);
  await until('the old generation is gone', async () => {
    const now = await generations();
    return now.size === 1 && [...now].every((generation) => !before.has(generation));
  });
  const [one, other] = await Promise.all([0, 1].map((n) => ask(url(n), '/state')));
  expect(one?.json).toEqual(other?.json);
  for (const repo of repos) {
    const { position } = await askAt(url(1), `/repos/${repo}`, one?.position?.split(', ')[0] as string);
    const read = await messagesAt(url(1), repo, position as string);
    expect(read.slice(0, -1).toReversed()).toEqual(written.get(repo));
  }
  // Once more, with nobody writing: the replay gives exactly what both were.
  const again = await ask(url(1), '/rebuild', { method: 'POST' });
  expect(again).toMatchObject({ status: 200, json: { sameAsBefore: true } });
  expect((await ask(url(0), '/state')).json).toEqual(one?.json);
}, 300_000);

it('does one at a time, whichever gateway is asked', async () => {
  const answers = await Promise.all([0, 1].map((n) => ask(url(n), '/rebuild', { method: 'POST' })));
  const codes = answers.map(({ status, code }) => `${status} ${code ?? ''}`.trim()).toSorted();
  // The second is told to come again, by its own process or by the graph, unless the first was over already.
  expect([
    ['200', '429 OVERLOADED'],
    ['200', '503 UNAVAILABLE'],
    ['200', '200'],
  ]).toContainEqual(codes);
}, 120_000);
