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

/** A piece that the decoder has or will have; `left` resolves to the number of bytes at its end that it did not want. */
interface Given {
  readonly bytes: Uint8Array;
  readonly left: Promise<number>;
}

/**
 * Gives the decoder all bytes, or until it has enough; returns what it did not want. One piece waits behind the one
 * that is being inflated, or the decoder's thread would idle while this one uses the output.
 */
async function feed(pieces: AsyncIterator<Uint8Array>, decoder: Gunzip | ZstdDecompress): Promise<Uint8Array[]> {
  let fed = 0;
  let before: Given | undefined;
  for (;;) {
    const { done, value } = await pieces.next();
    fed += done ? 0 : value.length;
    const given = done ? undefined : give(decoder, value, fed);
    const left = (await before?.left) ?? 0;
    if (before && left > 0) return [before.bytes.subarray(-left), given?.bytes ?? new Uint8Array()];
    if (!given) {
      decoder.end();
      return [];
    }
    before = given;
  }
}

/** `fed` counts all bytes up to the end of these. */
function give(decoder: Gunzip | ZstdDecompress, bytes: Uint8Array, fed: number): Given {
  const left = new Promise<number>((resolve, reject) => {
    // A decoder that was destroyed while its output waits never calls back: hence the second way out.
    const closed = (): void => reject(new VarveError('CANCELLED', 'nobody reads the inflated bytes any more'));
    decoder.once('close', closed);
    decoder.write(bytes, (error) => {
      decoder.off('close', closed);
      if (error) reject(error);
      else resolve(fed - decoder.bytesWritten);
    });
  });
  left.catch(() => undefined);
  return { bytes, left };
}

async function refuseGarbage(left: readonly Uint8Array[], pieces: AsyncIterator<Uint8Array>): Promise<void> {
  for (const bytes of left) refuseUnlessNul(bytes);
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) return;
    refuseUnlessNul(value);
  }
}

function refuseUnlessNul(bytes: Uint8Array): void {
  if (bytes.every((byte) => byte === 0)) return;
  throw new VarveError('LAYER_INVALID', 'after the compressed stream come bytes that are not NUL', {
    rule: 'trailing-garbage',
  });
}

function meaning(error: unknown): unknown {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (!/^(?:Z_DATA_ERROR|Z_BUF_ERROR|Z_NEED_DICT|ZSTD_error_\w+|ERR_STREAM_PUSH_AFTER_EOF)$/.test(code)) return error;
  const { message } = error as Error;
  return new VarveError(
    'LAYER_INVALID',
    `the compressed stream is broken: ${message}`,
    { rule: ruleOf(code, message) },
    { cause: error },
  );
}

/**
 * The first header of the stream was recognized, so a wrong one stands behind a whole stream; so does one that comes
 * behind padding, in a piece that the decoder got before it had told that it was at the end.
 */
function ruleOf(code: string, message: string): string {
  if (message === 'unexpected end of file') return 'truncated';
  const isBehind = code === 'ZSTD_error_prefix_unknown' || code === 'ERR_STREAM_PUSH_AFTER_EOF';
  return isBehind || message === 'incorrect header check' ? 'trailing-garbage' : 'corrupt-stream';
}
