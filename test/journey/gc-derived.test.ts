import { randomBytes } from 'node:crypto';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { Collected } from '#client/answer';
import { digestOf } from '#core/digest';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { layer } from '../fixture/layer-builder.js';
import { type Workspace, workspace } from './harness/archives.js';
import { realmOf } from './harness/cluster.js';
import { embedded, isCluster } from './harness/mode.js';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

const nothing = { count: 0, bytes: 0 };
const kinds = ['index', 'seekable', 'tree', 'pack', 'tarball'] as const;
const orphan = digestOf(Buffer.from('no layer has this'));

let work: Workspace;
let server: Server;
let varve: Varve;
beforeAll(async () => {
  work = await workspace();
  const env = { VARVE_GC_GRACE_HOURS: '0', VARVE_GC_HOURS: '0' };
  server = await startServer({ data: join(work.path, 'data'), env });
  varve = varveAt(server.url);
  await varve.json('init', 'app');
  const file = await work.file('layer.tar.gz', layer({ file: randomBytes(100_000) }, 'gzip').blob);
  await varve.json('commit', file, '-m', 'one', '--repo', 'app');
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

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

async function stored(): Promise<DerivedAddress[]> {
  return withStore(async (store) => {
    const found: DerivedAddress[] = [];
    for (const kind of kinds) for await (const { address } of store.derived(kind)) found.push(address);
    return found;
  });
}

const removedOf = ({ derived }: Collected) =>
  Object.fromEntries(derived.filter(({ removed }) => removed.count > 0).map(({ kind, removed }) => [kind, removed]));

it('removes what comes from nothing that there is, each kind for itself, and leaves the rest', async () => {
  await varve.json('materialize', 'main', '--repo', 'app');
  const before = await stored();
  expect(before.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['index', 'seekable']));
  await withStore(async (store) => {
    for (const kind of kinds) {
      const staged = await store.stageDerived();
      await staged.write(Buffer.from(`a ${kind}`));
      await staged.seal({ kind, version: kind === 'tree' ? 2 : 1, key: orphan });
    }
  });
  const expected = Object.fromEntries(kinds.map((kind) => [kind, { count: 1, bytes: 2 + kind.length }]));

  expect(removedOf(await varve.json<Collected>('gc', '--dry-run'))).toEqual(expected);
  expect(await stored()).toHaveLength(before.length + kinds.length);
  const { stdout } = await varve('gc', '--dry-run');
  expect(stdout).toMatch(/^would remove of what can be made again: 1 index \(7 B\), 1 seekable \(10 B\), 1 tree \(/m);
  expect(removedOf(await varve.json<Collected>('gc'))).toEqual(expected);
  expect(await stored()).toEqual(before);
  expect(removedOf(await varve.json<Collected>('gc'))).toEqual({});
  expect(await varve('fsck')).toMatchObject({ code: 0, stdout: '' });
}, 60_000);

it('is told by fsck of a flipped bit in each kind, and of bytes that are cut off, beside the servers', async () => {
  const before = await stored();
  const whole = new Map<DerivedAddress, Buffer>();
  const found = async () => {
    const { stdout, code } = await varve('fsck', '--json');
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { rule?: string; where?: string });
    return { code, rules: lines.flatMap(({ rule }) => rule ?? []).toSorted() };
  };
  await withStore(async (store) => {
    for (const address of before) {
      const reader = await store.open(address);
      whole.set(address, await readBlob(reader));
      await reader.close();
    }
  });
  const damage = (change: (bytes: Buffer) => Buffer) =>
    withStore(async (store) => {
      for (const [address, bytes] of whole) {
        const staged = await store.stageDerived();
        await staged.write(change(Buffer.from(bytes)));
        await staged.seal(address);
      }
    });
  const rules = before.map(({ kind }) => `${kind}-differs`).toSorted();
  expect(rules).toEqual(expect.arrayContaining(['index-differs', 'seekable-differs', 'tarball-differs']));

  await damage((bytes) => {
    bytes[bytes.length >> 1]! ^= 4;
    return bytes;
  });
  expect(await found()).toEqual({ code: 7, rules });
  await damage((bytes) => bytes.subarray(0, -1));
  expect(await found()).toEqual({ code: 7, rules });
  await damage((bytes) => bytes);
  expect(await found()).toEqual({ code: 0, rules: [] });
}, 60_000);

embedded('the staged files of others lie on their machines').it(
  'removes what a killed process left staged, beside an upload that goes on',
  async () => {
    const staging = join(server.data, 'staging');
    const name = 'a'.repeat(32);
    await writeFile(join(staging, name), 'left behind');
    await utimes(join(staging, name), 1, 1);
    const going = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(layer({ slow: randomBytes(1 << 20) }).tar.subarray(0, 600_000)),
    });
    const url = `${server.url}/api/v1/repos/app/branches/main/commits?message=slow`;
    const headers = { 'content-type': 'application/x-tar' };
    const init = { method: 'POST', headers, body, signal: going.signal, duplex: 'half' } as RequestInit;
    const upload = fetch(url, init).catch(() => undefined);
    while ((await readdir(staging)).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));

    const told = await varve.json<Collected>('gc', '--dry-run');
    expect(told.uploads.removed).toEqual({ count: 1, bytes: 11 });
    expect(told.uploads.staged.count).toBeGreaterThanOrEqual(2);
    expect((await varve.json<Collected>('gc')).uploads.removed).toEqual({ count: 1, bytes: 11 });
    const left = await readdir(staging);
    expect(left).not.toContain(name);
    expect(left.length).toBeGreaterThanOrEqual(1);
    going.abort();
    await upload;
    while ((await readdir(staging)).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await varve.json<Collected>('gc')).uploads).toEqual({ staged: nothing, removed: nothing });
  },
  60_000,
);
