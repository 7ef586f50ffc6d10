import { randomBytes } from 'node:crypto';
import type { AppName, AppProcess } from '../journey/harness/app-process.js';
import { type Realm, realmOf, startApp } from '../journey/harness/cluster.js';
import { randomOf } from '../journey/harness/random.js';
import { varveAt } from '../journey/harness/varve.js';
import { type Answered, ask, commitFile, createRepository, messagesAt, until } from './gateway-client.js';

const seed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000);
const repos = ['team/one', 'team/two', 'team/three'];

let realm: Realm;
/** Two of each; a place is empty while its process is dead. */
const places = new Map<string, AppProcess>();

const pairs: readonly (readonly [AppName, string])[] = (['gateway', 'projector', 'materializer'] as const).flatMap(
  (app) => [`${app} 1`, `${app} 2`].map((place) => [app, place] as const),
);

async function fill([app, place]: readonly [AppName, string]): Promise<void> {
  places.set(place, await startApp(app, realm));
}

function gateway(number: number): string {
  return places.get(`gateway ${(number % 2) + 1}`)?.url as string;
}

beforeAll(async () => {
  realm = await realmOf(randomBytes(8).toString('hex'), 4);
  await Promise.all(pairs.map(fill));
}, 120_000);
afterAll(() => Promise.all([...places.values()].map((one) => one.end('SIGKILL'))));

it('reads at its position through one gateway what was committed through the other', async () => {
  await Promise.all(repos.map((repo, i) => createRepository(gateway(i), repo)));
  for (let n = 0; n < 20; n++) {
    const repo = repos[n % repos.length] as string;
    const written = await commitFile(gateway(n), repo, `file-${n}`);
    expect(written).toMatchObject({ status: 201 });
    const read = await messagesAt(gateway(n + 1), repo, written.position as string);
    expect(read[0]).toBe(`file-${n}`);
  }
  const states = await Promise.all([0, 1].map((n) => ask(gateway(n), '/state')));
  expect(states[0]?.json).toEqual(states[1]?.json);
}, 120_000);

it(`goes on while any process is killed, and loses nothing that it acknowledged (VARVE_TEST_SEED=${seed})`, async () => {
  const random = randomOf(seed);
  const victims = pairs.map((pair) => ({ pair, order: random() })).toSorted((a, b) => a.order - b.order);
  const acknowledged = new Map(repos.map((repo) => [repo, [] as string[]]));
  let steps = 0;

  /** The same write, through one gateway or the other, until it is answered; one that runs must answer. */
  async function commit(repo: string): Promise<Answered> {
    const name = `step-${steps++}`;
    for (let tries = 0; tries < 20; tries++) {
      const answer = await commitFile(gateway(steps + tries), repo, name);
      if (answer.status === 201) {
        acknowledged.get(repo)?.push(name);
        return answer;
      }
      expect([0, 429, 503]).toContain(answer.status);
    }
    throw new Error(`${name} had no answer from either gateway`);
  }

  for (const { pair } of victims) {
    const [app, place] = pair;
    const walk = repos.map(async (repo) => {
      for (let n = 0; n < 4; n++) {
        const { position } = await commit(repo);
        const alive = app === 'gateway' ? (place.endsWith('1') ? 1 : 0) : n;
        expect((await messagesAt(gateway(alive), repo, position as string))[0]).toMatch(/^step-/);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, random() * 200));
    await places.get(place)?.end('SIGKILL');
    await Promise.all(walk);
    await fill(pair);
  }

  for (const repo of repos) {
    const position = (await ask(gateway(0), `/repos/${encodeURIComponent(repo)}`)).position as string;
    for (const each of [0, 1]) {
      const found = (await messagesAt(gateway(each), repo, position)).filter((message) => message.startsWith('step-'));
      // Each once, in the order in which they were acknowledged.
      expect(found.toReversed()).toEqual(acknowledged.get(repo));
    }
  }
}, 300_000);

it('is sound afterwards, on every gateway', async () => {
  for (const each of [0, 1]) {
    const ran = await varveAt(gateway(each))('fsck');
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code: 0, stdout: '' });
  }
}, 120_000);

it('ends cleanly when it is told to, and another one takes over', async () => {
  const stopped = await Promise.all(
    ['projector 1', 'materializer 1', 'gateway 1'].map(async (place) => places.get(place)?.end('SIGTERM')),
  );
  expect(stopped).toEqual([0, 0, 0]);
  await until('a commit without them', async () => (await commitFile(gateway(1), 'team/one', 'last')).status === 201);
}, 60_000);
