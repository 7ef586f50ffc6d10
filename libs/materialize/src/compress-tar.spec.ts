import { randomFillSync } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compressTar, type TarCompression } from './compress-tar.js';

const pieces = Array.from({ length: 12 }, (_, at) =>
  at % 2 === 0 ? Buffer.alloc(400_000, at) : randomFillSync(Buffer.alloc(100_000)),
);
const inflate = { gzip: gunzipSync, zstd: zstdDecompressSync } as const;

describe.each<TarCompression>(['gzip', 'zstd'])('compressTar to %s', (compression) => {
  it('gives what inflates to the same bytes, and less of them', async () => {
    const chunks: Uint8Array[] = [];
    const source = (async function* () {
      yield* pieces;
    })();
    for await (const chunk of compressTar(source, compression)) chunks.push(chunk);
    const compressed = Buffer.concat(chunks);
    expect(inflate[compression](compressed).equals(Buffer.concat(pieces))).toBe(true);
    expect(compressed.length).toBeLessThan(700_000);
  });

  it('throws what the source throws, and gives no whole stream then', async () => {
    const chunks: Uint8Array[] = [];
    const source = (async function* () {
      yield* pieces;
      throw new Error('a layer is damaged');
    })();
    const reading = (async () => {
      for await (const chunk of compressTar(source, compression)) chunks.push(chunk);
    })();
    await expect(reading).rejects.toThrow('a layer is damaged');
    expect(() => inflate[compression](Buffer.concat(chunks))).toThrow();
  });

  it('ends the source when the reader leaves', async () => {
    let isEnded = false;
    const source = (async function* () {
      try {
        for (;;) yield randomFillSync(Buffer.alloc(100_000));
      } finally {
        isEnded = true;
      }
    })();
    for await (const chunk of compressTar(source, compression)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(isEnded).toBe(true);
  });
});
