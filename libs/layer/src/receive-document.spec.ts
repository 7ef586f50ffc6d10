import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { digestOf } from '#core/digest';
import { limit } from '#core/limit';
import { mediaType } from '#core/media-type';
import { readBlob } from '#ports/read-blob';
import { collect } from '../../../test/fixture/bytes-random.js';
import { receiveDocument } from './receive-document.js';

const config = Buffer.from('{ "os": "linux" }\n');

describe('receiveDocument', () => {
  const blobs = openMemoryBlobStore();
  afterAll(() => blobs.close());
  afterEach(async () => {
    for await (const blob of blobs.blobs()) await blobs.delete(blob);
  });

  it('keeps the exact bytes, visible once they are sealed', async () => {
    const received = await receiveDocument(blobs, config, mediaType.config);
    expect(received).toMatchObject({ digest: digestOf(config), sizeBytes: 18, mediaType: mediaType.config });
    expect(await collect(blobs.blobs())).toEqual([]);
    const named = await received.seal();
    await received.discard();
    expect(named).toMatchObject({ digest: digestOf(config), size: 18, mediaType: mediaType.config, layer: null });
    expect(await readBlob(await blobs.open(named))).toEqual(config);
  });

  it('keeps nothing of what is discarded', async () => {
    await (await receiveDocument(blobs, config, mediaType.config)).discard();
    expect(await collect(blobs.staged())).toEqual([]);
    expect(await collect(blobs.blobs())).toEqual([]);
  });

  it('refuses bytes with another digest than was told, and keeps nothing', async () => {
    const expected = { digest: digestOf('other') };
    await expect(receiveDocument(blobs, config, mediaType.config, expected)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      detail: { expected: digestOf('other'), actual: digestOf(config) },
    });
    expect(await collect(blobs.staged())).toEqual([]);
  });

  it('refuses a document over the limit before it stages any of it', async () => {
    const large = Buffer.alloc(limit.documentBytesMax + 1);
    await expect(receiveDocument(blobs, large, mediaType.manifest)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const largest = await receiveDocument(blobs, large.subarray(1), mediaType.manifest);
    expect(largest.sizeBytes).toBe(limit.documentBytesMax);
    await largest.discard();
  });
});
