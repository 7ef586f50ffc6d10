import type { Gunzip, ZstdDecompress } from 'node:zlib';
import { VarveError } from '#core/error';

/**
 * The source through one of zlib's decoders, which works on another thread while the caller uses what came out. After
 * the compressed stream only NUL bytes may come (tools pad to a block). Closes source and decoder however it ends.
 * @throws LAYER_INVALID (rules `truncated`, `corrupt-stream`, `trailing-garbage`), and what the source throws
 */
export async function* inflate(
  source: AsyncIterable<Uint8Array>,
  decoder: Gunzip | ZstdDecompress,
): AsyncGenerator<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  const feeding = feed(pieces, decoder);
  feeding.catch((error: Error) => decoder.destroy(error));
  // The iteration below reports an error; one that comes after it must not end the process.
  decoder.on('error', () => undefined);
  try {
    for await (const bytes of decoder) yield bytes as Uint8Array;
    await refuseGarbage(await feeding, pieces);
  } catch (error) {
    throw meaning(error);
  } finally {
    decoder.destroy();
    await feeding.catch(() => undefined);
    await pieces.return?.();
  }
}

/** Gives the decoder all bytes, or until it has enough. Returns those it did not take of the last piece. */
async function feed(pieces: AsyncIterator<Uint8Array>, decoder: Gunzip | ZstdDecompress): Promise<Uint8Array> {
  for (let fed = 0; ;) {
    const { done, value } = await pieces.next();
    if (done) {
      decoder.end();
      return new Uint8Array();
    }
    fed += value.length;
    await give(decoder, value);
    const leftBytes = fed - decoder.bytesWritten;
    if (leftBytes > 0) return value.subarray(value.length - leftBytes);
  }
}

/** A decoder that was destroyed while its output waits never calls back: hence the second way out. */
function give(decoder: Gunzip | ZstdDecompress, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new VarveError('CANCELLED', 'nobody reads the inflated bytes any more'));
    decoder.once('close', closed);
    decoder.write(bytes, (error) => {
      decoder.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}

async function refuseGarbage(left: Uint8Array, pieces: AsyncIterator<Uint8Array>): Promise<void> {
  for (let bytes = left; ;) {
    if (bytes.some((byte) => byte !== 0)) {
      throw new VarveError('LAYER_INVALID', 'after the compressed stream come bytes that are not NUL', {
        rule: 'trailing-garbage',
      });
    }
    const { done, value } = await pieces.next();
    if (done) return;
    bytes = value;
  }
}

function meaning(error: unknown): unknown {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (!/^(?:Z_DATA_ERROR|Z_BUF_ERROR|Z_NEED_DICT|ZSTD_error_\w+)$/.test(code)) return error;
  const { message } = error as Error;
  return new VarveError(
    'LAYER_INVALID',
    `the compressed stream is broken: ${message}`,
    { rule: ruleOf(code, message) },
    { cause: error },
  );
}

/** The first header of the stream was recognized, so a wrong one stands behind a whole stream. */
function ruleOf(code: string, message: string): string {
  if (message === 'unexpected end of file') return 'truncated';
  const isNoHeader = message === 'incorrect header check' || code === 'ZSTD_error_prefix_unknown';
  return isNoHeader ? 'trailing-garbage' : 'corrupt-stream';
}
