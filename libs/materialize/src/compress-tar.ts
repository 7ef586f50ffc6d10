import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';

/** How a tar is made smaller on its way. */
export type TarCompression = 'gzip' | 'zstd';

const chunkBytes = 256 << 10;
const zstdLevel = 3;
/** Of gzip's levels the last before time grows faster than what it saves. */
const gzipLevel = 4;

/** What says, behind the name of the plain tar, which bytes it became: those of this library. Other levels need other names. */
export const codingSuffix: Readonly<Record<TarCompression, string>> = {
  gzip: `.gz-${process.versions.zlib}`,
  zstd: `.zst-${process.versions['zstd']}`,
};

/**
 * A tar, compressed while it passes; nothing is kept. An error of the source is thrown before the last bytes, so what came
 * until then does not end as a whole stream does. The bytes may change with the library that makes them.
 */
export async function* compressTar(
  tar: AsyncGenerator<Uint8Array>,
  compression: TarCompression,
): AsyncGenerator<Uint8Array> {
  const coder =
    compression === 'gzip'
      ? createGzip({ level: gzipLevel, chunkSize: chunkBytes })
      : createZstdCompress({
          params: { [constants.ZSTD_c_compressionLevel]: zstdLevel, [constants.ZSTD_c_checksumFlag]: 1 },
          chunkSize: chunkBytes,
        });
  const feeding = pipeline(tar, coder);
  // Its error is met by whoever reads the coder.
  feeding.catch(() => undefined);
  try {
    yield* coder as AsyncIterable<Uint8Array>;
    await feeding;
  } finally {
    coder.destroy();
    await feeding.catch(() => undefined);
  }
}
