import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Job } from '#client/job-answer';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import { type Workspace, workspace } from './harness/archives.js';
import { embedded } from './harness/mode.js';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

let work: Workspace;
let server: Server;
let varve: Varve;
let plain: Buffer;
const rootfs = '/api/v1/repos/app/commits/main/rootfs.tar';
const small = layer({ 'etc/motd': 'hello\n'.repeat(100_000), big: randomBytesOf(5, 1_000_000) });
/** Seconds of gzip: whatever is done to its job meets it in the middle. */
const large = layer({ large: randomBytesOf(6, 80_000_000) });

beforeAll(async () => {
  work = await workspace();
  server = await startServer();
  varve = varveAt(server.url);
  await varve('init', 'app');
  await varve.with({ input: small.blob }, 'commit', '-', '-m', 'small');
  plain = Buffer.from(await (await fetch(new URL(rootfs, server.url))).arrayBuffer());
  await varve('init', 'large');
  await varve.with({ input: large.blob }, '--repo', 'large', 'commit', '-', '-m', 'large');
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return fetch(new URL(path, server.url), { method, headers, redirect: 'manual' });
}
const header = (response: Response, name: string) => response.headers.get(name) ?? '';
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

/** The job of a wish, once it is writing. */
async function writingJob(path: string): Promise<Job> {
  const { id } = (await (await ask(path, { prefer: 'respond-async' })).json()) as Job;
  for (;;) {
    const job = (await (await ask(`/api/v1/jobs/${id}`)).json()) as Job;
    if (job.state === 'running' && job.progress?.phase === 'writing') return job;
    if (job.state !== 'waiting' && job.state !== 'running') throw new Error(`the job is ${job.state} already`);
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
}

describe('rootfs.tar?delivery=redirect', () => {
  it('makes the file, and redirects to the very bytes that a checkout streams', async () => {
    const redirect = await ask(`${rootfs}?delivery=redirect`);
    expect(redirect.status).toBe(307);
    const bytes = await bytesOf(await fetch(new URL(header(redirect, 'location'), server.url)));
    expect(bytes.equals(plain)).toBe(true);
    const streamed = await ask(rootfs, { 'accept-encoding': 'identity' }, 'HEAD');
    expect(header(redirect, 'etag')).toBe(header(streamed, 'etag'));
    const sha256 = createHash('sha256').update(plain).digest('base64');
    expect(header(redirect, 'repr-digest')).toBe(`sha-256=:${sha256}:`);
    const known = await ask(`${rootfs}?delivery=redirect`, { 'if-none-match': header(redirect, 'etag') });
    expect(known.status).toBe(304);
    expect((await ask(`${rootfs}?delivery=redirect`, {}, 'HEAD')).status).toBe(307);
  });

  it('answers at once with the job when it is told not to wait, and the job ends with the file', async () => {
    const path = `${rootfs}?delivery=redirect&format=tar.gz`;
    const accepted = await ask(path, { prefer: 'respond-async' });
    expect(accepted.status).toBe(202);
    const { id, format } = (await accepted.json()) as Job;
    expect({ format, location: header(accepted, 'location') }).toEqual({
      format: 'tar.gz',
      location: `/api/v1/jobs/${id}`,
    });
    const events = await ask(`/api/v1/jobs/${id}/events`);
    expect(header(events, 'content-type')).toMatch(/^text\/event-stream/);
    const told = (await events.text())
      .split('\n\n')
      .flatMap((event) => /^event: job\ndata: (.*)$/.exec(event)?.[1] ?? []);
    const last = JSON.parse(told.at(-1) ?? '') as Job;
    expect(last).toMatchObject({ id, state: 'done', failure: null });
    const file = await fetch(new URL(last.tarball?.url ?? '', server.url));
    const bytes = await bytesOf(file);
    expect(last.tarball?.sizeBytes).toBe(bytes.length);
    expect(last.tarball?.digest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    expect(gunzipSync(bytes).equals(plain)).toBe(true);
    expect((await ask(path)).status).toBe(307);
  });

  it('gives any range of a compressed file, which a stream cannot', async () => {
    const redirect = await ask(`${rootfs}?delivery=redirect&format=tar.zst`);
    const url = new URL(header(redirect, 'location'), server.url);
    const whole = await bytesOf(await fetch(url));
    expect(zstdDecompressSync(whole).equals(plain)).toBe(true);
    const part = await fetch(url, { headers: { range: 'bytes=1000-1999' } });
    expect(part.status).toBe(206);
    expect((await bytesOf(part)).equals(whole.subarray(1000, 2000))).toBe(true);
  });

  it('has one job for all who ask at the same time', async () => {
    const path = '/api/v1/repos/large/commits/main/rootfs.tar?delivery=redirect';
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(path, { prefer: 'wait=60' })));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 307));
    const jobs = await varve.json<Job[]>('jobs');
    expect(jobs.filter(({ repo, format }) => repo === 'large' && format === 'tar')).toHaveLength(1);
  });

  it.each([
    [`${rootfs}?delivery=redirect`, { prefer: 'wait=soon' }, 400, 'REQUEST_INVALID'],
    [`${rootfs}?delivery=truck`, {}, 400, 'REQUEST_INVALID'],
    ['/api/v1/repos/app/commits/nobody/rootfs.tar?delivery=redirect', {}, 404, 'REF_UNKNOWN'],
    ['/api/v1/jobs/0123456789abcdef0123456789abcdef', {}, 404, 'JOB_UNKNOWN'],
    ['/api/v1/jobs/..%2f..%2fetc', {}, 404, 'JOB_UNKNOWN'],
    ['/api/v1/jobs?cursor=1', {}, 400, 'REQUEST_INVALID'],
    ['/api/v1/jobs?state=lost', {}, 400, 'REQUEST_INVALID'],
    ['/api/v1/tarballs/u1w1-0', {}, 404, 'BLOB_UNKNOWN'],
    ['/api/v1/tarballs/..%2fjobs.db', {}, 404, 'BLOB_UNKNOWN'],
  ])('refuses %s', async (path, headers: Record<string, string>, status, code) => {
    const refused = await ask(path, headers);
    expect({ status: refused.status, code: header(refused, 'varve-error') }).toEqual({ status, code });
  });
});

describe('varve', () => {
  it.each([
    ['rootfs.tar', (bytes: Buffer) => bytes],
    ['rootfs.tar.gz', gunzipSync],
    ['rootfs.tar.zst', zstdDecompressSync],
  ])('checkout --delivery=redirect writes %s as a stream does', async (name, inflate) => {
    const path = join(work.path, name);
    const ran = await varve('--repo', 'app', 'checkout', 'main', '-o', path, '--delivery=redirect');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(inflate(await readFile(path)).equals(plain)).toBe(true);
  });

  it('materialize prints a URL that anyone can fetch, and the same one when it is ready', async () => {
    const ran = await varve('--repo', 'app', 'materialize', 'main', '--format', 'tar.gz');
    expect(ran.code).toBe(0);
    const bytes = await bytesOf(await fetch(ran.stdout.trim()));
    expect(gunzipSync(bytes).equals(plain)).toBe(true);
    const told = await varve.json<{ digest: string; format: string }>('--repo', 'app', 'materialize', 'main', '--format', 'tar.gz'); // prettier-ignore
    expect(told).toMatchObject({
      format: 'tar.gz',
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    });
  });

  it('jobs lists them, changed last first, and shows one', async () => {
    const jobs = await varve.json<Job[]>('jobs', 'ls', '--state', 'done');
    expect(jobs.length).toBeGreaterThan(2);
    expect(jobs.map(({ changedAt }) => changedAt)).toEqual(
      jobs.map(({ changedAt }) => changedAt).toSorted((a, b) => b.localeCompare(a)),
    );
    const [job] = jobs as [Job];
    const shown = await varve('jobs', 'show', job.id);
    expect(shown.stdout).toContain(job.id);
    expect(shown.stdout).toContain(job.tarball?.digest);
    const listed = await varve('jobs');
    expect(listed.stdout).toMatch(/^JOB\s+STATE\s+REPOSITORY\s+COMMIT\s+FORMAT\s+CHANGED\s+WHAT\n/);
    expect(await varve.json<Job>('jobs', 'cancel', job.id)).toMatchObject({ state: 'done' });
    expect(await varve.lines<Job>('jobs', 'watch', job.id)).toMatchObject([{ id: job.id, state: 'done' }]);
  });

  it.each([
    [['jobs', 'show', '0123456789abcdef0123456789abcdef'], 3, 'JOB_UNKNOWN'],
    [['jobs', 'retry', 'nobody'], 3, 'JOB_UNKNOWN'],
    [['jobs', 'show'], 2, 'say which job'],
    [['jobs', 'ls', 'x'], 2, 'takes no id'],
    [['jobs', 'forget', 'x'], 2, 'Allowed choices'],
    [['--repo', 'app', 'materialize', 'nobody'], 3, 'REF_UNKNOWN'],
  ])('%s ends with %s', async (args, code, said) => {
    const ran = await varve(...args);
    expect(ran.code).toBe(code);
    expect(ran.stderr).toContain(said);
  });

  it('jobs cancel ends a job that runs: who waits for it is told, and a new wish begins it again', async () => {
    const path = '/api/v1/repos/large/commits/main/rootfs.tar?delivery=redirect&format=tar.gz';
    const { id } = await writingJob(path);
    const waiting = varve('--repo', 'large', 'materialize', 'main', '--format', 'tar.gz');
    const watching = varve('jobs', 'watch', id);
    await new Promise((resolve) => void setTimeout(resolve, 300));
    await varve.json('jobs', 'cancel', id);
    const watched = await watching;
    expect({ code: watched.code, lastLine: watched.stdout.trim().split('\n').at(-1) }).toEqual({
      code: 1,
      lastLine: 'cancelled',
    });
    const told = await waiting;
    expect(told.code).toBe(1);
    expect(told.stderr).toContain(`job ${id} was cancelled`);
    expect((await varve('--repo', 'large', 'materialize', 'main', '--format', 'tar.gz')).code).toBe(0);
    expect(await varve.json<Job>('jobs', 'show', id)).toMatchObject({ state: 'done' });
  });
});

const onFiles = embedded('it damages, or kills, what one process has for itself');

onFiles.describe('a server on its own files', () => {
  let own: Server;
  let onOwn: Varve;
  const data = () => join(work.path, 'own');
  const start = async (env = {}) => {
    own = await startServer({ data: data(), env });
    onOwn = varveAt(own.url);
  };
  beforeEach(async () => {
    await start();
    await onOwn('init', 'app');
    await onOwn.with({ input: large.blob }, 'commit', '-', '-m', 'large');
  });
  afterEach(async () => {
    await own.kill();
    rmSync(data(), { recursive: true, force: true });
  });
  it('has a job that its death interrupted made by the next process, and sets it aside after three', async () => {
    const wish = ['materialize', 'main', '--format', 'tar.gz'];
    for (let death = 1; death <= 3; death += 1) {
      const asking = onOwn(...wish);
      await untilWriting(onOwn);
      await own.kill();
      await asking;
      await start();
      const [job] = await onOwn.json<Job[]>('jobs');
      if (death < 3) expect(job).toMatchObject({ lostLeases: death, tarball: null });
    }
    await until(async () => (await onOwn.json<Job[]>('jobs'))[0]?.state === 'dead');
    const refused = await onOwn(...wish);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /set aside: INTERNAL: 3 workers fell silent .*varve jobs retry [0-9a-f]{32} \(JOB_FAILED\)/,
    );
    const [dead] = await onOwn.json<Job[]>('jobs', 'ls', '--state', 'dead');
    await onOwn.json('jobs', 'retry', dead?.id ?? '');
    expect((await onOwn(...wish)).code).toBe(0);
    // Nothing that the dead ones staged is left.
    expect(await onOwn('fsck', '--quick')).toMatchObject({ code: 0, stdout: '' });
  });

  it('tells why a job failed, as a stream tells it', async () => {
    await own.stop();
    rmSync(join(data(), 'blobs'), { recursive: true, force: true });
    await start();
    const failed = await onOwn('materialize', 'main');
    const streamed = await onOwn('checkout', 'main', '-o', '-');
    expect([failed.code, streamed.code]).toEqual([3, 3]);
    const [job] = await onOwn.json<Job[]>('jobs', 'ls', '--state', 'failed');
    expect(job).toMatchObject({ attempts: 1, failure: { code: 'BLOB_UNKNOWN' } });
    expect((await onOwn('jobs')).stdout).toMatch(/failed .*BLOB_UNKNOWN/);
  });

  it('keeps a file over the budget for those who wait for it, makes one again whose bytes are gone', async () => {
    await own.stop();
    await start({ VARVE_TARBALL_BUDGET_MIB: '0' });
    const path = join(work.path, 'budget.tar');
    expect((await onOwn('checkout', 'main', '-o', path, '--delivery=redirect')).code).toBe(0);
    rmSync(join(data(), 'derived', 'tarball'), { recursive: true, force: true });
    expect((await onOwn('checkout', 'main', '-o', path, '--delivery=redirect')).code).toBe(0);
    expect((await readFile(path)).length).toBeGreaterThan(80_000_000);
  });
});

async function untilWriting(asked: Varve): Promise<void> {
  await until(async () => {
    const [job] = await asked.json<Job[]>('jobs');
    return job?.state === 'running' && job.progress?.phase === 'writing' && job.progress.doneBytes > 0;
  });
}

/** Watchdog: a minute. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 600; n += 1) {
    if (await isSo()) return;
    await new Promise((resolve) => void setTimeout(resolve, 100));
  }
  throw new Error('it never came to that');
}
