import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { Client } from 'minio';
import type { Job } from '#client/job-answer';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import type { AppProcess } from '../journey/harness/app-process.js';
import { type Realm, realmOf, startApp } from '../journey/harness/cluster.js';
import { type Varve, varveAt } from '../journey/harness/varve.js';
import { createRepository, until } from './gateway-client.js';

type Format = 'tar' | 'tar.gz' | 'tar.zst';

const repo = 'jobs';
/** Seconds of work for gzip, and eight parts of an upload. */
const contents = [randomBytesOf(1, 80_000_000), randomBytesOf(2, 60_000_000)] as const;

let realm: Realm;
let gateway: AppProcess;
let projector: AppProcess;
const materializers = new Map<number, AppProcess>();
let redis: Redis;
let minio: Client;
let varve: Varve;

beforeAll(async () => {
  realm = await realmOf(randomBytes(8).toString('hex'));
  [gateway, projector] = await Promise.all([startApp('gateway', realm), startApp('projector', realm)]);
  await Promise.all([startMaterializer(), startMaterializer()]);
  redis = new Redis(process.env['VARVE_TEST_REDIS'] as string);
  const { endpoint, accessKey, secretKey } = realm.s3;
  const { hostname, port } = new URL(endpoint);
  minio = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey });
  varve = varveAt(gateway.url as string);
  await createRepository(gateway.url as string, repo);
  for (const [n, bytes] of contents.entries()) {
    const ran = await varve.with({ input: layer({ [`file-${n}`]: bytes }).blob }, 'commit', '-', '-m', `commit ${n}`);
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
  }
}, 120_000);

afterAll(async () => {
  await Promise.all([gateway, projector, ...materializers.values()].map((one) => one?.end('SIGKILL')));
  redis?.disconnect();
});

async function startMaterializer(): Promise<void> {
  const started = await startApp('materializer', realm);
  materializers.set(started.pid, started);
}

function ask(rev: string, format: Format, headers: Record<string, string> = {}): Promise<Response> {
  const path = `/api/v1/repos/${repo}/commits/${rev}/rootfs.tar?delivery=redirect&format=${format}`;
  return fetch(new URL(path, gateway.url), { headers, redirect: 'manual' });
}

const jobNow = async (id: string) => varve.json<Job>('jobs', 'show', id);

/** The job of a wish when it has sent a few parts, and the process that runs it. */
async function uploading(rev: string, format: Format): Promise<{ readonly id: string; readonly worker: AppProcess }> {
  const { id } = (await (await ask(rev, format, { prefer: 'respond-async' })).json()) as Job;
  return { id, worker: await workerOf(id) };
}

/** One that runs and is not `except`. */
async function workerOf(id: string, except?: AppProcess): Promise<AppProcess> {
  let worker: AppProcess | undefined;
  await until('the job uploads', async () => {
    const { state, progress, worker: name } = await jobNow(id);
    if (state !== 'running' && state !== 'waiting') throw new Error(`the job is ${state} already`);
    worker = materializers.get(Number(name?.split(' ')[1]));
    if (!worker || worker === except || state !== 'running') return false;
    return progress?.phase === 'writing' && progress.doneBytes > 20_000_000;
  });
  return worker as AppProcess;
}

/** As if the 30 s were over in which nobody renewed it. */
async function endLease(id: string): Promise<void> {
  await redis.zadd(`${realm.name}:{jobs}:due`, 'XX', 0, id);
}

/** Kills the worker as the kernel would for want of memory, and puts another in its place. */
async function kill(worker: AppProcess): Promise<void> {
  await worker.end('SIGKILL');
  materializers.delete(worker.pid);
  await startMaterializer();
}

async function tarballKeys(): Promise<string[]> {
  const keys: string[] = [];
  const found = minio.listObjectsV2(realm.s3.bucket, `${realm.s3.prefix}/derived/tarball/`, true);
  for await (const entry of found as AsyncIterable<{ name?: string }>) keys.push(entry.name as string);
  return keys;
}

async function incompleteUploads(): Promise<number> {
  let count = 0;
  const found = minio.listIncompleteUploads(realm.s3.bucket, `${realm.s3.prefix}/derived/tarball/`, true);
  for await (const _ of found as AsyncIterable<unknown>) count += 1;
  return count;
}

async function streamed(rev: string): Promise<Buffer> {
  const answer = await fetch(new URL(`/api/v1/repos/${repo}/commits/${rev}/rootfs.tar`, gateway.url));
  return Buffer.from(await answer.arrayBuffer());
}

it('redirects to an object that anyone downloads, of the very bytes that a checkout streams', async () => {
  const redirect = await ask('main', 'tar', { prefer: 'wait=60' });
  expect(redirect.status).toBe(307);
  const url = redirect.headers.get('location') as string;
  expect(new URL(url).origin).toBe(realm.s3.endpoint);
  const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
  expect(bytes.equals(await streamed('main'))).toBe(true);
  const range = await fetch(url, { headers: { range: 'bytes=100-199' } });
  expect(range.status).toBe(206);
  expect((await varve('checkout', 'main', '-o', '/dev/null', '--delivery=redirect')).code).toBe(0);
  expect(await tarballKeys()).toHaveLength(1);
});

it('takes a job over from a worker that was killed in the middle of its upload; no half object shows', async () => {
  const before = await tarballKeys();
  const { id, worker } = await uploading('main', 'tar.gz');
  await kill(worker);
  expect(await tarballKeys()).toEqual(before);
  await until('another has made it', async () => (await jobNow(id)).state === 'done', 120_000);
  expect(await jobNow(id)).toMatchObject({ lostLeases: 1, attempts: 0 });
  expect((await ask('main', 'tar.gz')).status).toBe(307);
  expect(await tarballKeys()).toHaveLength(before.length + 1);
});

it('publishes one object when a worker wakes up that was taken for dead', async () => {
  const before = await tarballKeys();
  const { id, worker } = await uploading('main~1', 'tar.gz');
  process.kill(worker.pid, 'SIGSTOP');
  try {
    await endLease(id);
    await workerOf(id, worker);
  } finally {
    process.kill(worker.pid, 'SIGCONT');
  }
  await until('the other has made it', async () => (await jobNow(id)).state === 'done', 120_000);
  expect(await jobNow(id)).toMatchObject({ lostLeases: 1, attempts: 0 });
  // The one that woke up tells of it, and has left nothing.
  await until('it gives up', async () => /"outcome":"(lost|other-published)"/.test(worker.output()));
  expect(await tarballKeys()).toHaveLength(before.length + 1);
});

it('ends the upload of a job that is cancelled, and leaves nothing of it', async () => {
  const [keys, uploads] = [await tarballKeys(), await incompleteUploads()];
  const { id } = await uploading('main~1', 'tar.zst');
  expect(await varve.json<Job>('jobs', 'cancel', id)).toMatchObject({ cancelRequested: true });
  await until('it is cancelled', async () => (await jobNow(id)).state === 'cancelled');
  expect(await tarballKeys()).toEqual(keys);
  expect(await incompleteUploads()).toBe(uploads);
  expect((await varve('materialize', 'main~1', '--format', 'tar.zst')).code).toBe(0);
});

it('sets a job aside that cost three workers, with the reason, until somebody retries it', async () => {
  const { id, worker: first } = await uploading('main', 'tar.zst');
  let worker = first;
  for (let death = 1; death <= 3; death += 1) {
    await kill(worker);
    await endLease(id);
    if (death < 3) worker = await workerOf(id, worker);
  }
  await until('it is set aside', async () => (await jobNow(id)).state === 'dead');
  expect((await varve('jobs', 'ls', '--state', 'dead')).stdout).toMatch(/INTERNAL: 3 workers fell silent/);
  const refused = await ask('main', 'tar.zst');
  expect({ status: refused.status, code: refused.headers.get('varve-error') }).toEqual({
    status: 409,
    code: 'JOB_FAILED',
  });
  await varve.json('jobs', 'retry', id);
  expect((await varve('materialize', 'main', '--format', 'tar.zst')).code).toBe(0);
});
