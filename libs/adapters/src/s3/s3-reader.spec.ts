import { setTimeout as pause } from 'node:timers/promises';
import { randomBytesOf } from '../../../../test/fixture/bytes-random.js';
import { ReadAhead } from './read-ahead.js';
import { headBytes, S3Reader, windowBytesMax } from './s3-reader.js';
import type { S3Requests } from './s3-requests.js';

const mebibyte = 1 << 20;
const bytes = randomBytesOf(1, 24 * mebibyte + 7);

/** An object as the server gives it out; it counts what it is asked. */
class Served {
  asked: { from: number; size: number }[] = [];
  etag = '"one"';
  size = bytes.length;
  failures = 0;

  async get(_key: string, from: number, target: Buffer): Promise<{ bytes: Buffer; size: number; etag: string }> {
    this.asked.push({ from, size: target.length });
    await pause(1);
    if (this.failures-- > 0) throw new Error('lost');
    const count = bytes.copy(target, 0, from, this.size);
    return { bytes: target.subarray(0, count), size: this.size, etag: this.etag };
  }
}

async function open(served: Served, readAhead = new ReadAhead(64 * mebibyte, windowBytesMax)): Promise<S3Reader> {
  const head = await served.get('k', 0, Buffer.alloc(headBytes));
  served.asked = [];
  return new S3Reader(served as unknown as S3Requests, readAhead, { key: 'k', head });
}

async function readAll(reader: S3Reader, pieceBytes: number): Promise<Buffer> {
  const all = Buffer.alloc(reader.size);
  for (let at = 0; at < all.length;) at += await reader.read(all.subarray(at, at + pieceBytes), at);
  return all;
}

describe('S3Reader', () => {
  it.each([4_096, 300_000, mebibyte, 9 * mebibyte])(
    'reads on in few large requests, in pieces of %d',
    async (pieceBytes) => {
      const served = new Served();
      const reader = await open(served);
      expect(Buffer.compare(await readAll(reader, pieceBytes), bytes)).toBe(0);
      expect(served.asked.length).toBeLessThan(14);
      await reader.close();
    },
  );

  it('asks for what is asked for, where somebody jumps', async () => {
    const served = new Served();
    const reader = await open(served);
    for (const from of [20, 4, 16, 8, 12].map((at) => at * mebibyte)) {
      const target = Buffer.alloc(16_384);
      expect(await reader.read(target, from)).toBe(16_384);
      expect(Buffer.compare(target, bytes.subarray(from, from + 16_384))).toBe(0);
    }
    expect(served.asked).toEqual([20, 4, 16, 8, 12].map((at) => ({ from: at * mebibyte, size: 16_384 })));
    await reader.close();
  });

  it('asks for nothing that came with the first request', async () => {
    const served = new Served();
    const reader = await open(served);
    await reader.read(Buffer.alloc(headBytes), 0);
    expect(served.asked.filter(({ from }) => from < headBytes)).toEqual([]);
    await reader.close();
  });

  it('gives back all memory for reading ahead, and reads without it', async () => {
    const readAhead = new ReadAhead(10 * mebibyte, windowBytesMax);
    const readers = await Promise.all(Array.from({ length: 8 }, () => open(new Served(), readAhead)));
    const all = await Promise.all(readers.map((reader) => readAll(reader, mebibyte / 2)));
    for (const read of all) expect(Buffer.compare(read, bytes)).toBe(0);
    await Promise.all(readers.map((reader) => reader.close()));
    await pause(50);
    expect(readAhead.take(10 * mebibyte)?.length).toBe(10 * mebibyte);
  });

  it('asks again for a stretch that failed', async () => {
    const served = new Served();
    const reader = await open(served);
    served.failures = 1;
    await expect(reader.read(Buffer.alloc(mebibyte), headBytes)).rejects.toThrow('lost');
    expect(Buffer.compare(await readAll(reader, mebibyte), bytes)).toBe(0);
    await reader.close();
  });

  it('never mixes two objects', async () => {
    const served = new Served();
    const reader = await open(served);
    served.etag = '"two"';
    await expect(readAll(reader, mebibyte)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    served.etag = '"one"';
    served.size = 20 * mebibyte;
    await expect(readAll(reader, mebibyte)).rejects.toMatchObject({ code: 'CORRUPT' });
    await reader.close();
  });
});
