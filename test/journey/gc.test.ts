import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { Collected } from '#client/answer';
import type { BlobAddress, BlobStore } from '#ports/blob-store';
import { archiveOf, dockerArchive } from '../fixture/archive-builder.js';
import { layer } from '../fixture/layer-builder.js';
import { appImage, baseLayer, webImage, type Workspace, workspace } from './harness/archives.js';
import { realmOf } from './harness/cluster.js';
import { isCluster } from './harness/mode.js';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

/** Every copy is old enough, and no run comes by itself. */
const env = { VARVE_GC_GRACE_HOURS: '0', VARVE_GC_HOURS: '0' };

let work: Workspace;
let server: Server;
let varve: Varve;
beforeAll(async () => {
  work = await workspace();
  server = await startServer({ data: join(work.path, 'data'), env });
  varve = varveAt(server.url);
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

/** The store itself, past the server, as a writer has it that dies before it appends. */
async function withStore<T>(use: (store: BlobStore) => Promise<T>): Promise<T> {
  const store = isCluster
    ? await openS3BlobStore((await realmOf(server.data)).s3)
    : await openFilesystemBlobStore(server.data);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function abandon(bytes: Uint8Array): Promise<BlobAddress> {
  return withStore(async (store) => {
    const staged = await store.stageBlob();
    await staged.write(bytes);
    await staged.finish();
    return staged.seal();
  });
}

async function copies(): Promise<string[]> {
  return withStore(async (store) => {
    const found: string[] = [];
    for await (const copy of store.blobs()) found.push(nameOf(copy));
    return found;
  });
}

const nameOf = ({ digest, incarnation }: { readonly digest: string; readonly incarnation: string }) =>
  `${digest} ${incarnation}`;

const api = (path: string, init?: RequestInit) => fetch(`${server.url}/api/v1/${path}`, init);
const gc = async () => (await api('gc', { method: 'POST' })).json() as Promise<Collected>;

/** Puts a layer with that file on `main` of app. */
async function commit(name: string): Promise<string | null> {
  const { blob } = layer({ [name]: randomBytes(1_000) });
  const headers = { 'content-type': 'application/x-tar' };
  const path = `repos/app/branches/main/commits?message=${name}`;
  const answer = await api(path, { method: 'POST', headers, body: new Uint8Array(blob) });
  return answer.status === 201 ? null : answer.headers.get('varve-error');
}

async function history(repo: string): Promise<readonly { readonly id: string; readonly message: string }[]> {
  const rev = repo === 'app' ? 'main' : 'tags%2Flatest';
  const answer = await api(`repos/${repo}/commits?limit=1000&rev=${rev}`);
  return ((await answer.json()) as { commits: { id: string; message: string }[] }).commits;
}

/** Every commit of both repositories, as the bytes of its checkout. */
async function checkouts(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const repo of ['app', 'web']) {
    for (const { id } of await history(repo)) {
      const answer = await api(`repos/${repo}/commits/${id}/rootfs.tar`);
      expect(answer.status).toBe(200);
      found.set(`${repo} ${id}`, Buffer.from(await answer.arrayBuffer()).toString('base64'));
    }
  }
  return found;
}

async function expectSound(): Promise<void> {
  expect(await varve('fsck')).toMatchObject({ code: 0, stdout: '' });
}

it('removes what nothing names, and only that', async () => {
  await varve.json('load', await work.file('app.tar', archiveOf(dockerArchive([appImage]))), '--repo', 'app');
  await varve.json('load', await work.file('web.tar', archiveOf(dockerArchive([webImage]))), '--repo', 'web');
  await varve.json('branch', 'main', '1.0', '--repo', 'app');
  // Most of these lose the race for the branch.
  const racing = await Promise.all(['a', 'b', 'c', 'd'].map(commit));
  expect(racing).toContain(null);
  expect(racing.every((code) => code === null || code === 'REF_STALE')).toBe(true);
  await varve.json('branch', 'gone', 'main', '--repo', 'app');
  await varve.json('branch', '-d', 'gone', '--repo', 'app');
  const before = await checkouts();
  const kept = await copies();
  const garbage = [await abandon(randomBytes(3_000)), await abandon(baseLayer.blob)].map(nameOf);

  const dry = await varve.json<Collected>('gc', '--dry-run');
  expect(dry).toMatchObject({ dryRun: true, gcId: null, removed: { count: 2, bytes: 3_000 + baseLayer.blob.length } });
  expect(dry.copies.map(nameOf).toSorted()).toEqual(garbage.toSorted());
  const shown = await varve('gc', '--dry-run');
  expect(shown.stdout).toMatch(/^would remove 2 copies \(.*\) of \d+ copies \(.*\)\nBLOB +COPY +SIZE +STORED\n/);
  expect(await copies()).toEqual([...kept, ...garbage].toSorted());

  const done = await varve.json<Collected>('gc');
  expect(done).toMatchObject({ dryRun: false, kept: { count: 0 }, removed: dry.removed });
  expect(done.copies.map(nameOf).toSorted()).toEqual(garbage.toSorted());
  expect(await copies()).toEqual(kept);
  expect(await checkouts()).toEqual(before);
  await expectSound();
}, 120_000);

it('raises a fence and removes nothing when there is nothing to remove, and lets the graph forget in the end', async () => {
  const [first, second, third] = [await gc(), await gc(), await gc()];
  const epochs = [first, second, third].map((run) => run.epochs[0]);
  expect(epochs).toEqual([2, 3, 4]);
  for (const run of [first, second, third]) expect(run.removed).toEqual({ count: 0, bytes: 0 });
  // The two copies of the run before: a proposal that could name them is stale now.
  expect([first, second, third].map(({ forgotten }) => forgotten)).toEqual([0, 2, 0]);
  expect((await varve('gc')).stdout).toMatch(/^removed 0 copies \(0 B\) of \d+ copies/);
}, 60_000);

it('takes writes while it runs', async () => {
  const writing = { isOver: false };
  const collecting = (async () => {
    let runs = 0;
    for (; !writing.isOver; runs += 1) await gc();
    return runs;
  })();
  for (let n = 0; n < 12; n += 1) {
    // A write that several fences overtake is for its caller to send again.
    for (let code; (code = await commit(`step-${n}`)) !== null;) {
      expect(['BLOB_GONE', 'GC_EPOCH_STALE']).toContain(code);
    }
  }
  writing.isOver = true;
  expect(await collecting).toBeGreaterThan(0);
  await gc();
  await checkouts();
  await expectSound();
  expect((await history('app')).filter(({ message }) => message.startsWith('step'))).toHaveLength(12);
}, 240_000);

const garbageCount = 100;

it('takes up what it left behind when it was killed', async () => {
  const before = await checkouts();
  const kept = await copies();
  await Promise.all(Array.from({ length: garbageCount }, (_, n) => abandon(Buffer.from(`garbage ${n}`))));
  const cutOff = api('gc', { method: 'POST' }).then(
    () => 'answered',
    () => 'cut off',
  );
  while ((await copies()).length === kept.length + garbageCount) await new Promise((resolve) => setTimeout(resolve, 1));
  await server.kill();
  await cutOff;
  server = await startServer({ data: join(work.path, 'data'), env });
  varve = varveAt(server.url);

  await gc();
  expect(await copies()).toEqual(kept);
  expect(await checkouts()).toEqual(before);
  await expectSound();
}, 120_000);

it('refuses what it does not understand', async () => {
  const answer = await api('gc?dryRun=maybe', { method: 'POST' });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'REQUEST_INVALID' });
});
