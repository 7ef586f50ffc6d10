import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newSignerText } from '#audit/note';
import { newKafka } from '#adapters/kafka/kafka-client';
import { parseRepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { OwnRedis } from '../fixture/redis-server.js';
import { AppProcess } from '../journey/harness/app-process.js';
import { type Realm, realmOf, startApp } from '../journey/harness/cluster.js';
import { type Ran, varveAt } from '../journey/harness/varve.js';
import { ask, commitFile, createRepository, until } from './gateway-client.js';

const partitions = 4;
const repos = ['app', 'web', 'team/db', 'tools', 'base', 'edge/proxy'];

let redis: OwnRedis;
let realm: Realm;
let folder: string;
let key: string;
/** Two gateways and two notaries; the one projector is none of this test. */
const gateways: AppProcess[] = [];
const notaries: AppProcess[] = [];
let projector: AppProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'varve-audit-'));
  redis = await OwnRedis.start();
  const name = randomBytes(8).toString('hex');
  const made = await realmOf(name, partitions);
  const graph = `redis://127.0.0.1:${redis.port}?prefix=${made.name}`;
  realm = { ...made, env: { ...made.env, VARVE_GRAPH: graph } };
  projector = await startApp('projector', realm);
  // The first one makes the key that both have.
  notaries.push(await startNotary());
  notaries.push(await startNotary());
  gateways.push(...(await Promise.all([startApp('gateway', realm), startApp('gateway', realm)])));
  key = join(folder, 'varve.pub');
  writeFileSync(key, (await ok(varve(0, 'audit', 'key'))).stdout);
}, 240_000);
afterAll(async () => {
  await Promise.all([...gateways, ...notaries, projector].map((one) => one?.end('SIGKILL')));
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function startNotary(env: Readonly<Record<string, string>> = {}): Promise<AppProcess> {
  return startApp('notary', realm, { VARVE_AUDIT_KEY: join(folder, 'audit.key'), VARVE_AUDIT_SECONDS: '2', ...env });
}

/** Through a gateway, on a machine that remembers all checkpoints it has seen. */
function varve(gateway: number, ...args: string[]): Promise<Ran> {
  const env = { XDG_STATE_HOME: join(folder, 'state') };
  return varveAt(gateways[gateway]?.url as string).with({ env }, ...args);
}

async function ok(running: Promise<Ran>): Promise<Ran> {
  const ran = await running;
  expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  return ran;
}

/** A proof of what `main` points at, made through a gateway and checked without any. */
async function proven(gateway: number, repo: string, ...when: string[]) {
  const file = join(folder, `${randomBytes(6).toString('hex')}.tlog-proof`);
  await ok(varve(gateway, 'audit', 'proof', '--repo', repo, '--ref', 'main', ...when, '-o', file));
  const offline = varveAt('http://127.0.0.1:9').with({ env: { XDG_STATE_HOME: join(folder, 'state') } }, '--json', 'audit', 'verify', file, '--key', key); // prettier-ignore
  const told = JSON.parse((await ok(offline)).stdout) as { ref: { repo: string; value: { version: number } } };
  return { text: readFileSync(file, 'utf8'), version: told.ref.value.version };
}

interface Note {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
}

async function checkpoint(gateway: number, partition: number): Promise<Note> {
  const answer = await fetch(`${gateways[gateway]?.url}/api/v1/audit/checkpoint?partition=${partition}`);
  const text = await answer.text();
  expect({ status: answer.status, text }).toEqual({ status: 200, text: expect.any(String) });
  const [origin = '', size, root = ''] = text.split('\n');
  return { origin, size: Number(size), root };
}

async function commitEverywhere(name: string): Promise<void> {
  await Promise.all(
    repos.map(async (repo, i) => {
      const answer = await commitFile(gateways[i % 2]?.url as string, repo, name);
      expect({ repo, status: answer.status }).toEqual({ repo, status: 201 });
    }),
  );
}

it('proves the refs of every partition through any gateway, and signs one root over all', async () => {
  await Promise.all(repos.map((repo, i) => createRepository(gateways[i % 2]?.url as string, repo)));
  await commitEverywhere('one');
  const used = new Set(repos.map((repo) => partitionOf(parseRepositoryName(repo), partitions)));
  expect(used.size).toBeGreaterThan(1);

  for (const [i, repo] of repos.entries()) {
    const through = [await proven(i % 2, repo), await proven((i + 1) % 2, repo)];
    expect(through.map(({ version }) => version)).toEqual([2, 2]);
    expect(through[0]?.text).toBe(through[1]?.text);
  }
  const over = [await checkpoint(0, partitions), await checkpoint(1, partitions)];
  expect(over[0]).toEqual(over[1]);
  expect(over[0]?.origin).toMatch(/^varve\.dev\/log\/\w+$/);
  expect(over[0]?.size).toBeGreaterThanOrEqual(used.size);
}, 180_000);

it('tells who did what through any gateway', async () => {
  const all = await Promise.all([0, 1].map((gateway) => ok(varve(gateway, '--json', 'audit', 'log'))));
  const lines = all.map(({ stdout }) => stdout.split('\n').filter((line) => line.includes('"commit"')));
  expect(lines[0]).toHaveLength(repos.length);
  expect(lines[0]).toEqual(lines[1]);
  const one = await ok(varve(1, '--json', 'audit', 'log', '--repo', 'web'));
  expect(one.stdout.split('\n').filter((line) => line.includes('"commit"'))).toHaveLength(1);
}, 120_000);

it('proves the same after a rebuild of the graph', async () => {
  const before = await Promise.all(repos.map((repo) => proven(0, repo)));
  await ok(varve(1, 'rebuild'));
  const after = await Promise.all(repos.map((repo) => proven(1, repo)));
  expect(after.map(({ text }) => text)).toEqual(before.map(({ text }) => text));
}, 180_000);

it('goes on while either notary is killed in the middle of its work', async () => {
  for (const [round, place] of [0, 1, 0].entries()) {
    const before = await checkpoint(0, partitions);
    const writing = (async () => {
      for (let n = 0; n < 4; n += 1) await commitEverywhere(`round-${round}-${n}`);
    })();
    await new Promise((resolve) => setTimeout(resolve, 150 * round));
    await notaries[place]?.end('SIGKILL');
    await writing;
    for (const [i, repo] of repos.entries()) expect((await proven(i % 2, repo)).version).toBe(2 + 4 * (round + 1));
    expect((await checkpoint(1, partitions)).size).toBeGreaterThan(before.size);
    // Each continues what this machine has seen, or it would say so.
    await ok(varve(round % 2, 'audit', 'checkpoint'));
    notaries[place] = await startNotary();
  }
}, 300_000);

it('finds its promises again when Redis is emptied, and goes on from them', async () => {
  const before = await Promise.all([0, 1, 2, 3, 4].map((tree) => checkpoint(0, tree)));
  const proofs = await Promise.all(repos.map((repo) => proven(0, repo)));
  await redis.ask((client) => client.flushall());
  await until('the graph is there again', async () => (await ask(gateways[0]?.url as string, '/repos/web')).status === 200); // prettier-ignore
  await until('and the trees', async () => (await varve(1, 'audit', 'checkpoint')).code === 0);

  const again = await Promise.all(repos.map((repo) => proven(1, repo)));
  expect(again.map(({ text }) => text)).toEqual(proofs.map(({ text }) => text));
  const after = await Promise.all([0, 1, 2, 3, 4].map((tree) => checkpoint(1, tree)));
  expect(after).toEqual(before);
  await commitEverywhere('afterwards');
  for (const [i, repo] of repos.entries()) expect((await proven(i % 2, repo)).version).toBe(15);
  const grown = await checkpoint(0, partitions);
  expect(grown.size).toBeGreaterThan(before[partitions]?.size as number);
  // What was signed before is the beginning of what is signed now, of each partition and of all.
  const { stdout } = await ok(varve(1, '--json', 'audit', 'checkpoint'));
  expect(JSON.parse(stdout)).toMatchObject({ origin: grown.origin, continues: before[partitions]?.size });
  const one = await ok(varve(0, '--json', 'audit', 'checkpoint', '--partition', '2'));
  expect(JSON.parse(one.stdout)).toMatchObject({ origin: `${grown.origin}/2` });
}, 300_000);

it('is read by a process that is all in one, and has not the key', async () => {
  const data = join(folder, 'standalone');
  const alone = await startApp('standalone', realm, { VARVE_DATA: data });
  try {
    const through = await proven(0, 'web');
    gateways.push(alone);
    expect((await proven(gateways.length - 1, 'web')).text).toBe(through.text);
    expect(existsSync(join(data, 'audit.key'))).toBe(false);
  } finally {
    gateways.splice(2);
    expect(await alone.end('SIGTERM')).toBe(0);
  }
}, 120_000);

it('refuses to sign with another key than the one it began with', async () => {
  const own = { VARVE_AUDIT_KEY: join(folder, 'other.key'), VARVE_DATA: join(folder, 'other') };
  const refused = new AppProcess({ app: 'notary', env: { ...realm.env, ...own } });
  expect(await refused.ended()).toBe(2);
  expect(refused.output()).toContain('restore the key file');
  writeFileSync(own.VARVE_AUDIT_KEY, newSignerText((await checkpoint(0, partitions)).origin));
  const other = new AppProcess({ app: 'notary', env: { ...realm.env, ...own } });
  expect(await other.ended()).toBe(2);
  expect(other.output()).toContain('was signed by another key');
}, 120_000);

it('ends cleanly when it is told to, and the other one goes on', async () => {
  expect(await notaries[0]?.end('SIGTERM')).toBe(0);
  await commitEverywhere('with-one');
  expect((await proven(0, 'web')).version).toBe(16);
  notaries[0] = await startNotary();
}, 120_000);

it('signs nothing of a log that was cut off and grew again, and says so everywhere', async () => {
  await Promise.all([...gateways, ...notaries, projector].map((one) => one.end('SIGTERM')));
  const forged = `${realm.name}-forged`;
  await copyForged(realm.name, forged);
  await redis.ask((client) => client.flushall());
  const { VARVE_EVENT_LOG: address = '' } = realm.env;
  realm = { ...realm, env: { ...realm.env, VARVE_EVENT_LOG: address.replace(`/${realm.name}?`, `/${forged}?`) } };
  projector = await startApp('projector', realm);
  gateways[0] = await startApp('gateway', realm);

  // It stays up and says so, and then ends, so that whatever started it starts it again, in vain.
  const notary = await startHalted({ VARVE_HALT_SECONDS: '4' });
  const told = /"status":"failed".*(changed|cut off)/;
  await until('its health says so', async () => told.test(await healthOf(notary)));
  await until('the gateway says so', async () => {
    const ran = await varve(0, 'audit', 'checkpoint');
    return ran.code === 7 && /CORRUPT|LOG_TRUNCATED/.test(ran.stderr);
  });
  expect(await notary.ended()).toBe(7);
  // What the log says now can be read, for what it is.
  expect((await ask(gateways[0]?.url as string, '/repos/web')).status).toBe(200);
}, 240_000);

/** A notary that is not expected to get ready. */
async function startHalted(env: Readonly<Record<string, string>>): Promise<AppProcess> {
  const own = { VARVE_AUDIT_KEY: join(folder, 'audit.key'), VARVE_AUDIT_SECONDS: '2', ...env };
  const notary = new AppProcess({ app: 'notary', env: { ...realm.env, ...own } });
  notaries[0] = notary;
  await until('it listens', async () => notary.url !== undefined);
  return notary;
}

async function healthOf({ url }: AppProcess): Promise<string> {
  try {
    return await (await fetch(`${url}/readyz`)).text();
  } catch {
    return '';
  }
}

const topicSettings = { 'retention.ms': '-1', 'message.timestamp.type': 'LogAppendTime', 'flush.messages': '1' };

/** The same records up to the last of each partition, which is left out, and others in its place. */
async function copyForged(from: string, to: string): Promise<void> {
  const kafka = newKafka([process.env['VARVE_TEST_KAFKA'] as string], 'forger');
  const [admin, consumer, producer] = [kafka.admin(), kafka.consumer({ groupId: `forger-${from}` }), kafka.producer()];
  try {
    await Promise.all([admin.connect(), consumer.connect(), producer.connect()]);
    const { topics: [described] } = await admin.fetchTopicMetadata({ topics: [from] }); // prettier-ignore
    const configEntries = Object.entries(topicSettings).map(([name, value]) => ({ name, value }));
    await admin.createTopics({
      topics: [{ topic: to, numPartitions: described?.partitions.length ?? 0, configEntries }],
    });
    const ends = (await admin.fetchTopicOffsets(from)).map(({ partition, high }) => [partition, Number(high)] as const);
    const records = new Map(ends.map(([partition]) => [partition, [] as Buffer[]]));
    await consumer.subscribe({ topic: from, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message }) => void records.get(partition)?.push(message.value as Buffer),
    });
    await until('all is read', async () => ends.every(([partition, end]) => records.get(partition)?.length === end));
    for (const [partition, values] of records) {
      const forged = values.map((value, i) => (i > 0 && i === values.length - 1 ? reworded(value) : value));
      await producer.sendBatch({ topicMessages: [{ topic: to, messages: forged.map((value) => ({ partition, value })) }] }); // prettier-ignore
    }
  } finally {
    await Promise.all([admin.disconnect(), consumer.disconnect(), producer.disconnect()]);
  }
}

/** Another event that is as right as the one in whose place it stands. */
function reworded(value: Buffer): Buffer {
  return Buffer.from(value.toString().replace(/"salt":"[^"]*"/, `"salt":"${randomBytes(16).toString('base64')}"`));
}
