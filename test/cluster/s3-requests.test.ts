import { randomBytes } from 'node:crypto';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { type DiffId, digestOf } from '#core/digest';
import { parseRepositoryName } from '#core/name';
import { LayerStore } from '#layer/layer-store';
import { receiveLayer } from '#layer/receive-layer';
import type { BlobStore } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { graphOf } from '../fixture/bytes-graph.js';
import { inPieces, randomBytesOf } from '../fixture/bytes-random.js';
import { s3Place, s3Servers } from '../fixture/s3-bucket.js';
import { tarBytes } from '../fixture/tar-bytes.js';
import { Line } from './s3-line.js';

const repo = parseRepositoryName('app');

/** Requests cost money and milliseconds: how many there are is a promise too. */
describe.each(s3Servers)('on $name', ({ needs }) => {
  let line: Line;
  let store: BlobStore;
  beforeEach(async () => {
    const place = await s3Place(needs, randomBytes(8).toString('hex'));
    line = new Line(place.endpoint);
    store = await openS3BlobStore({ ...place, endpoint: await line.open() });
    line.asked.splice(0);
  });
  afterEach(async () => {
    await store.close();
    await line.close();
  });

  async function seal(tar: Buffer): Promise<LayerStore> {
    const layer = await receiveLayer(store, inPieces(tar, 1 << 20));
    const named = await layer.seal();
    await layer.discard();
    return new LayerStore(graphOf([named]), store);
  }

  it('a small layer is one request to store, one to read and one for its index', async () => {
    const tar = tarBytes([{ name: 'small', body: randomBytesOf(1, 1_000) }]);
    const layers = await seal(tar);
    expect(line.asked).toEqual([expect.stringMatching(/^PUT .*\/blobs\/sha256\//)]);
    line.asked.splice(0);
    const reader = await layers.open(repo, digestOf(tar) as DiffId);
    expect(Buffer.compare(await readBlob(reader), tar)).toBe(0);
    await reader.close();
    expect(line.asked).toEqual([expect.stringMatching(/^GET .*\/blobs\/sha256\//)]);
    line.asked.splice(0);
    await layers.index(repo, digestOf(tar) as DiffId);
    expect(line.asked).toEqual([expect.stringMatching(/^GET .*\/blobs\/sha256\//)]);
  });

  it('a layer of a few MiB is one request to store, its index another', async () => {
    const tar = tarBytes([{ name: 'larger', body: randomBytesOf(1, 3 << 20) }]);
    await seal(tar);
    expect(line.asked).toEqual([
      expect.stringMatching(/^PUT .*\/blobs\/sha256\//),
      expect.stringMatching(/^PUT .*\/derived\/index\//),
    ]);
  });

  it('a layer that is refused is none', async () => {
    const tar = tarBytes([{ name: 'cut', body: randomBytesOf(1, 3 << 20) }]);
    await expect(receiveLayer(store, inPieces(tar.subarray(0, 2 << 20), 1 << 20))).rejects.toMatchObject({
      code: 'LAYER_INVALID',
    });
    expect(line.asked).toEqual([]);
  });

  it('a large layer is a part for each 8 MiB and four requests around them, and is read in few', async () => {
    const tar = tarBytes([{ name: 'large', body: randomBytesOf(1, 30 << 20) }]);
    const layers = await seal(tar);
    const ofBlob = line.asked.filter((one) => !one.includes('/derived/'));
    expect(ofBlob.filter((one) => one.includes('partNumber='))).toHaveLength(4);
    expect(ofBlob).toHaveLength(4 + 4);
    line.asked.splice(0);
    const reader = await layers.open(repo, digestOf(tar) as DiffId);
    expect(Buffer.compare(await readBlob(reader), tar)).toBe(0);
    await reader.close();
    expect(line.asked.length).toBeLessThanOrEqual(12);
  });
});
