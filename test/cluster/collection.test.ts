import { randomBytes } from 'node:crypto';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { isNamedCopy } from '#core/graph-row';
import type { BlobStore } from '#ports/blob-store';
import { archiveOf, dockerArchive } from '../fixture/archive-builder.js';
import { layer } from '../fixture/layer-builder.js';
import { redisAddress } from '../fixture/redis-server.js';
import type { AppProcess } from '../journey/harness/app-process.js';
import { type Realm, realmOf, startApp } from '../journey/harness/cluster.js';
import { randomOf } from '../journey/harness/random.js';
import { varveAt } from '../journey/harness/varve.js';
import { type Answered, ask, until } from './gateway-client.js';

const seed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000);
const partitions = 4;
/** In several partitions. */
const repos = ['team/one', 'team/two', 'team/three', 'team/four', 'team/five'];
const env = { VARVE_GC_GRACE_HOURS: '0' };

let realm: Realm;
let store: BlobStore;
/** Two gateways, a projector and a materializer. */
const gateways: AppProcess[] = [];
const others: AppProcess[] = [];

beforeAll(async () => {
  realm = await realmOf(randomBytes(8).toString('hex'), partitions);
  store = await openS3BlobStore(realm.s3);
  const started = await Promise.all([
    startApp('gateway', realm, env),
    startApp('gateway', realm, env),
    startApp('projector', realm),
    startApp('materializer', realm),
  ]);
  gateways.push(...started.slice(0, 2));
  others.push(...started.slice(2));
}, 120_000);
afterAll(async () => {
  await Promise.all([...gateways, ...others].map((one) => one.end('SIGKILL')));
  await store?.close();
});

/** A write that has not been answered with what it did is sent again under its key; these say why it was not. */
const passing = new Set([
  'BLOB_GONE',
  'GC_EPOCH_STALE',
  'UNAVAILABLE',
  'OUTCOME_UNKNOWN',
  'OVERLOADED',
  'NOT_PROJECTED',
]);

interface Accepted {
  readonly repo: string;
  readonly commit: string;
  readonly file: string;
}
const accepted: Accepted[] = [];
const collections = { runs: 0, removed: 0, kept: 0, again: 0 };

function gatewayUrl(number: number): string {
  return gateways[number % 2]?.url as string;
}

/** Through one gateway or the other, until it is answered. */
async function insist(number: number, path: string, init: RequestInit): Promise<Answered> {
  for (let tries = 0; tries < 60; tries += 1) {
    const answer = await ask(gatewayUrl(number + tries), path, init);
    if (answer.status < 400 && answer.status > 0) return answer;
    if (answer.status > 0 && !passing.has(answer.code ?? '')) {
      throw new Error(`${path} was refused: ${answer.status} ${JSON.stringify(answer.json)}`);
    }
    collections.again += 1;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${path} had no answer from either gateway`);
}

async function commit(number: number, repo: string, file: string): Promise<void> {
  const { blob } = layer({ [file]: `what ${file} holds` }, number % 3 === 0 ? 'gzip' : undefined);
  const headers = { 'content-type': 'application/x-tar', 'idempotency-key': `commit-${repo}-${file}` };
  const path = `/repos/${encodeURIComponent(repo)}/branches/main/commits?message=${file}`;
  const answer = await insist(number, path, { method: 'POST', headers, body: new Uint8Array(blob) });
  accepted.push({ repo, commit: answer.json['commit'] as string, file });
}

async function load(number: number, repo: string, file: string): Promise<void> {
  const base = layer({ 'base/': null, 'base/file': 'the same in all of them' });
  const top = layer({ [file]: `what ${file} holds` }, 'gzip');
  const steps = [
    { layer: base, createdBy: 'ADD base' },
    { layer: top, createdBy: `ADD ${file}` },
  ];
  const archive = archiveOf(dockerArchive([{ steps, names: [`${repo}:${file}`] }]));
  const headers = { 'content-type': 'application/x-tar', 'idempotency-key': `load-${repo}-${file}` };
  const init = { method: 'POST', headers, body: new Uint8Array(archive) };
  const answer = await insist(number, `/repos/${encodeURIComponent(repo)}/archives`, init);
  const images = (answer.json['images'] ?? []) as readonly { commit: string }[];
  for (const image of images) accepted.push({ repo, commit: image.commit, file });
}

/** A tag that is made and deleted again: its commit is named all the same. */
async function makeAndDelete(number: number, repo: string, name: string): Promise<void> {
  const tag = `/repos/${encodeURIComponent(repo)}/refs/${encodeURIComponent(`refs/tags/${name}`)}`;
  const headers = { 'content-type': 'application/json', 'if-none-match': '*' };
  const made = await ask(gatewayUrl(number), tag, { method: 'PUT', headers, body: JSON.stringify({ to: 'main' }) });
  if (made.status < 400 && made.status > 0)
    await ask(gatewayUrl(number + 1), `${tag}?force=true`, { method: 'DELETE' });
}

async function abandon(text: string): Promise<void> {
  const staged = await store.stageBlob();
  await staged.write(Buffer.from(text));
  await staged.finish();
  await staged.seal();
}

async function collectOnce(number: number): Promise<Answered> {
  const answer = await ask(gatewayUrl(number), '/gc', { method: 'POST', signal: AbortSignal.timeout(120_000) });
  if (answer.status === 200) {
    collections.runs += 1;
    for (const what of ['removed', 'kept'] as const) {
      collections[what] += (answer.json[what] as { count: number }).count;
    }
  }
  return answer;
}

/** Collects without a pause until it is told to stop. */
function collector(number: number): { stop(): Promise<void> } {
  const going = { isOver: false };
  const running = (async () => {
    while (!going.isOver) {
      const { status, code } = await collectOnce(number);
      if (status !== 200) expect([null, ...passing]).toContain(code);
    }
  })();
  return {
    async stop() {
      going.isOver = true;
      await running;
    },
  };
}

/** Writers in all repositories at once, each with a random walk of its own. */
async function write(round: string, steps: number): Promise<void> {
  const writers = repos.map(async (repo, i) => {
    const random = randomOf(seed + i);
    for (let n = 0; n < steps; n += 1) {
      const name = `${round}-${n}`;
      const what = random();
      if (what < 0.55) await commit(n + i, repo, name);
      else if (what < 0.8) await load(n + i, repo, name);
      else await makeAndDelete(n + i, repo, name);
      if (random() < 0.3) await abandon(`${repo} ${name} was given up`);
    }
  });
  await Promise.all(writers);
}

/** What the store holds, and what of it some partition has bound. */
async function namedAndNot(): Promise<{ readonly named: number; readonly garbage: readonly string[] }> {
  const graph = await openRedisGraphStore({ ...redisAddress(), partitionCount: partitions, prefix: `${realm.name}:` });
  try {
    let named = 0;
    const garbage: string[] = [];
    for await (const { digest, incarnation } of store.blobs()) {
      const rows = [];
      for (let partition = 0; partition < partitions; partition += 1)
        rows.push(...(await graph.copies(partition, [digest])));
      if (rows.some((row) => row.incarnation === incarnation && isNamedCopy(row))) named += 1;
      else garbage.push(`${digest} ${incarnation}`);
    }
    return { named, garbage };
  } finally {
    await graph.close();
  }
}

async function expectNothingLost(): Promise<void> {
  expect(accepted.length).toBeGreaterThan(0);
  for (const [i, { repo, commit: id, file }] of accepted.entries()) {
    const url = `${gatewayUrl(i)}/api/v1/repos/${encodeURIComponent(repo)}/commits/${id}/rootfs.tar`;
    const answer = await fetch(url);
    expect({ id, status: answer.status }).toEqual({ id, status: 200 });
    expect(Buffer.from(await answer.arrayBuffer()).includes(`what ${file} holds`)).toBe(true);
  }
  for (const each of [0, 1]) {
    const ran = await varveAt(gatewayUrl(each))('fsck');
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code: 0, stdout: '' });
  }
}

/** The writers are done: what is left is what they have named. */
async function expectNothingElse(): Promise<void> {
  await until('a last collection', async () => (await collectOnce(0)).status === 200);
  const { named, garbage } = await namedAndNot();
  expect(garbage).toEqual([]);
  expect(named).toBeGreaterThan(0);
}

it(`loses nothing while it runs without a pause and without grace under writes through two gateways (VARVE_TEST_SEED=${seed})`, async () => {
  for (const repo of repos) {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ repo }) };
    expect((await insist(0, '/repos', init)).status).toBe(201);
  }
  const collectors = [collector(0), collector(1)];
  try {
    await write('busy', 10);
  } finally {
    await Promise.all(collectors.map((one) => one.stop()));
  }

  await expectNothingElse();
  await expectNothingLost();
  expect(collections.removed).toBeGreaterThan(0);
}, 600_000);

it('loses nothing and leaves nothing when the process that collects is killed in the middle', async () => {
  for (let kills = 0; kills < 3; kills += 1) {
    for (let n = 0; n < 100; n += 1) await abandon(`killed ${kills} ${n}`);
    const before = (await namedAndNot()).garbage.length;
    const cutOff = collectOnce(1);
    await until('some copies were deleted', async () => (await namedAndNot()).garbage.length < before);
    await gateways[1]?.end('SIGKILL');
    await cutOff;
    gateways[1] = await startApp('gateway', realm, env);
    await write(`killed-${kills}`, 2);
  }
  await expectNothingElse();
  await expectNothingLost();
}, 600_000);

it('lets the graph forget what is gone, so that it remembers the last runs alone', async () => {
  for (let runs = 0; runs < 4; runs += 1) expect((await collectOnce(runs)).status).toBe(200);
  const graph = await openRedisGraphStore({ ...redisAddress(), partitionCount: partitions, prefix: `${realm.name}:` });
  try {
    for (let partition = 0; partition < partitions; partition += 1) {
      // What was named in one partition just before its fence is out of reach in the others, and stays stored.
      for (const copy of await graph.retiredCopies(partition, { limit: 1_000 })) {
        expect({ ...copy, size: await store.stat(copy) }).toMatchObject({ size: expect.any(Number), sweptEpoch: null });
      }
    }
  } finally {
    await graph.close();
  }
}, 120_000);

it('runs by itself in a materializer, which opens the log for it', async () => {
  const other = await realmOf(randomBytes(8).toString('hex'), 2);
  const apps = await Promise.all([
    startApp('projector', other),
    startApp('materializer', other, { ...env, VARVE_GC_HOURS: '1' }),
  ]);
  const itsStore = await openS3BlobStore(other.s3);
  try {
    const staged = await itsStore.stageBlob();
    await staged.write(Buffer.from('given up'));
    await staged.finish();
    const address = await staged.seal();
    await until('it looks for the first time', async () => (await itsStore.stat(address)) === undefined, 300_000);
    const told = /"removed":1,.*"msg":"collected garbage"/;
    await until('it tells what it did', async () => told.test(apps[1]?.output() ?? ''));
    expect(await Promise.all(apps.map((one) => one.end('SIGTERM')))).toEqual([0, 0]);
  } finally {
    await itsStore.close();
    await Promise.all(apps.map((one) => one.end('SIGTERM')));
  }
}, 360_000);
