import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { digestOf } from '#core/digest';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { s3Access, s3Place, s3Servers } from '../fixture/s3-bucket.js';

const address: DerivedAddress = { kind: 'tree', version: 1, key: digestOf('presigned') };
const bytes = randomBytesOf(1, 100_000);

describe.each(s3Servers)('a presigned URL of $name', ({ needs }) => {
  let store: BlobStore;
  beforeAll(async () => {
    const place = await s3Place(needs, randomBytes(8).toString('hex'));
    store = await openS3BlobStore({ ...place, publicEndpoint: s3Access(needs).endpoint });
    const staged = await store.stageDerived();
    await staged.write(bytes);
    await staged.seal(address);
  });
  afterAll(() => store.close());

  it('downloads the bytes, whole or a range, without a credential', async () => {
    const url = await store.presign!(address, 60);
    const whole = await fetch(url);
    expect(whole.status).toBe(200);
    expect(Buffer.compare(Buffer.from(await whole.arrayBuffer()), bytes)).toBe(0);
    const range = await fetch(url, { headers: { range: 'bytes=1000-1999' } });
    expect(range.status).toBe(206);
    expect(Buffer.compare(Buffer.from(await range.arrayBuffer()), bytes.subarray(1000, 2000))).toBe(0);
  });

  it('is over when its time is, and gives nothing else', async () => {
    const url = await store.presign!(address, 1);
    await pause(2_500);
    const late = await fetch(url);
    expect([401, 403]).toContain(late.status);
    expect(await late.text()).toMatch(/expired/i);
    const other = new URL(await store.presign!(address, 60));
    other.pathname = other.pathname.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    expect((await fetch(other)).status).toBe(403);
    const put = await fetch(await store.presign!(address, 60), { method: 'PUT', body: 'mine now' });
    expect(put.status).toBe(403);
  });
});
