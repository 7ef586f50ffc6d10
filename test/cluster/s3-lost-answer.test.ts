import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { S3Options } from '#adapters/s3/s3-options';
import { digestOf, hexOf } from '#core/digest';
import type { BlobStore } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { collect, randomBytesOf } from '../fixture/bytes-random.js';
import { s3Client, s3Place, s3Servers } from '../fixture/s3-bucket.js';
import { type Asked, Line } from './s3-line.js';

const windowMs = 3_000;
const small = randomBytesOf(1, 1_000);
const large = randomBytesOf(2, 20 << 20);

describe.each(s3Servers)('an answer of $name that is lost', ({ needs }) => {
  let place: S3Options;
  let line: Line;
  let store: BlobStore;
  beforeEach(async () => {
    place = await s3Place(needs, randomBytes(8).toString('hex'));
    line = new Line(place.endpoint);
    store = await openS3BlobStore({ ...place, endpoint: await line.open(), sweepAfterMs: windowMs });
  });
  afterEach(async () => {
    await store.close();
    await line.close();
  });

  it.each<[what: string, bytes: Buffer, isLost: Asked]>([
    ['to a small object', small, ({ method }) => method === 'PUT'],
    ['to a part', large, ({ url }) => /partNumber=2/.test(url ?? '')],
    ['to the end of an upload', large, ({ method, url }) => method === 'POST' && /uploadId=/.test(url ?? '')],
    ['to a read', large, ({ method }) => method === 'GET'],
  ])('%s changes nothing', async (_, bytes, isLost) => {
    line.isLost = isLost;
    const staged = await store.stageBlob();
    await staged.write(bytes);
    await staged.finish();
    const address = await staged.seal();
    const reader = await store.open(address);
    expect(digestOf(await readBlob(reader))).toBe(digestOf(bytes));
    await reader.close();
    expect(line.lost).toBe(1);
    expect(await collect(store.blobs())).toMatchObject([{ ...address, size: bytes.length }]);
    expect(await collect(store.staged())).toEqual([]);
  });

  it('to the beginning of an upload leaves one that nobody knows, which is swept', async () => {
    line.isLost = ({ method, url }) => method === 'POST' && /[?&]uploads/.test(url ?? '');
    const staged = await store.stageBlob();
    await staged.write(large);
    await staged.finish();
    const address = await staged.seal();
    expect(line.lost).toBe(1);
    const hex = hexOf(address.digest);
    const key = `${place.prefix}/blobs/sha256/${hex.slice(0, 2)}/${hex}/${address.incarnation}`;
    expect(await s3Client(needs).findUploadId(place.bucket, key)).toBeDefined();
    expect(await collect(store.staged())).toHaveLength(1);
    while ((await store.sweepStaging()) === 0) await pause(200);
    expect(await s3Client(needs).findUploadId(place.bucket, key)).toBeUndefined();
    expect(await collect(store.staged())).toEqual([]);
    expect(await collect(store.blobs())).toMatchObject([address]);
  });
});
