import { digestOf, type DiffId } from '#core/digest';
import type { BlobReader } from '#ports/blob-store';
import { collectBytes } from '../../../test/fixture/bytes-random.js';
import { type StoredContent, streamContent } from './stored-content.js';

const diffId = digestOf('layer') as DiffId;
const stored = Buffer.from('....AAABBBBB....');
let closed = 0;

async function open(): Promise<BlobReader> {
  return {
    size: stored.length,
    close: async () => void closed++,
    read: async (target, position) => stored.copy(target, 0, position, position + target.length),
  };
}

/** 3 bytes of A, a hole of 4, 5 bytes of B, a hole of 2, behind a hole of 1. */
const sparse: StoredContent = {
  diffId,
  sizeBytes: 15,
  position: 4,
  segments: [
    { offset: 1, length: 3 },
    { offset: 8, length: 5 },
  ],
  sha256: null,
};
const whole = Buffer.from('\0AAA\0\0\0\0BBBBB\0\0');

describe('the content of a sparse file', () => {
  it('is the same in any part of it', async () => {
    for (let from = 0; from <= whole.length; from++) {
      for (let to = from; to <= whole.length; to++) {
        const part = await collectBytes(streamContent(sparse, open, { from, to }));
        expect(part.toString()).toBe(whole.subarray(from, to).toString());
      }
    }
  });

  it('is held against its digest when all of it is read', async () => {
    const right = { ...sparse, sha256: digestOf(whole) };
    expect((await collectBytes(streamContent(right, open, { from: 0, to: 15 }))).equals(whole)).toBe(true);
    const wrong = { ...sparse, sha256: digestOf('other') };
    await expect(collectBytes(streamContent(wrong, open, { from: 0, to: 15 }))).rejects.toMatchObject({
      code: 'CORRUPT',
    });
    expect((await collectBytes(streamContent(wrong, open, { from: 0, to: 14 }))).length).toBe(14);
  });
});

describe('stored content', () => {
  it('closes the layer also when the reader leaves early, and opens none for nothing', async () => {
    closed = 0;
    for await (const chunk of streamContent(sparse, open, { from: 0, to: 15 })) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(closed).toBe(1);
    expect((await collectBytes(streamContent(sparse, open, { from: 3, to: 3 }))).length).toBe(0);
    expect(closed).toBe(1);
  });

  it('that ends before its time is damage', async () => {
    const long = { ...sparse, segments: null, sizeBytes: 100 };
    await expect(collectBytes(streamContent(long, open, { from: 0, to: 100 }))).rejects.toMatchObject({
      code: 'CORRUPT',
    });
  });
});
