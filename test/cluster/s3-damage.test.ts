import { readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { type DiffId, digestOf, hexOf } from '#core/digest';
import { parseRepositoryName } from '#core/name';
import { indexAddress } from '#layer/derived-address';
import { LayerStore } from '#layer/layer-store';
import { receiveLayer } from '#layer/receive-layer';
import type { BlobReader, BlobStore } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { graphOf } from '../fixture/bytes-graph.js';
import { inPieces, randomBytesOf } from '../fixture/bytes-random.js';
import { S3Server } from '../fixture/s3-server.js';
import { tarBytes } from '../fixture/tar-bytes.js';

const repo = parseRepositoryName('app');
const tar = tarBytes([{ name: 'large', body: randomBytesOf(1, 12 << 20) }]);
const diffId = digestOf(tar) as DiffId;

describe.each(['minio', 'versitygw'] as const)('an object cut short behind %s', (name) => {
  let server: S3Server;
  let store: BlobStore;
  beforeEach(async () => {
    server = await S3Server.start(name);
    store = await openS3BlobStore({ ...server.options, retryMs: 500 });
  });
  afterEach(async () => {
    await store.close();
    await server.end();
  });

  it('is never read as if it were whole', async () => {
    const layer = await receiveLayer(store, inPieces(tar, 1 << 20));
    const named = await layer.seal();
    await layer.discard();
    const layers = new LayerStore(graphOf([named]), store);
    const open = await store.open(named);
    await cutShort(server.folder, hexOf(named.digest));

    const damage = { code: 'CORRUPT' };
    // What it had read before does not help: the hole is in front of it.
    await expect(readBlob(open, 4 << 20, 8 << 20)).rejects.toMatchObject(damage);
    await expect(readWhole(() => store.open(named), tar.length)).rejects.toMatchObject(damage);
    await expect(readWhole(() => layers.open(repo, diffId), tar.length)).rejects.toMatchObject(damage);
    await store.delete(indexAddress(diffId));
    await expect(layers.index(repo, diffId)).rejects.toMatchObject(damage);
    await open.close();
  });
});

async function readWhole(open: () => Promise<BlobReader>, size: number): Promise<Buffer> {
  const reader = await open();
  try {
    return await readBlob(reader, 0, size);
  } finally {
    await reader.close();
  }
}

/** The file that holds the object's first bytes ends at 6 MiB from now on: the server keeps it in one, or in parts. */
async function cutShort(folder: string, hex: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const [first, ...others] = files.filter(
    (path) => path.includes(`/blobs/sha256/${hex.slice(0, 2)}/${hex}/`) && !/xl\.meta$|part\.2$/.test(path),
  );
  expect(others).toEqual([]);
  await truncate(first!, 6 << 20);
}
