import { VarveError } from '#core/error';
import type { BlobReader } from './blob-store.js';

const chunkBytes = 1 << 20;

/** The bytes `[from, to)` of an open blob, in fresh chunks of at most 1 MiB. @throws CORRUPT when it ends before `to` */
export async function* streamBlob(reader: BlobReader, from = 0, to = reader.size): AsyncGenerator<Uint8Array> {
  for (let position = from; position < to;) {
    const target = Buffer.allocUnsafe(Math.min(chunkBytes, to - position));
    const count = await reader.read(target, position);
    if (count === 0) throw shorter(position, to);
    yield target.subarray(0, count);
    position += count;
  }
}

/** All of `[from, to)` at once; for what is known to be small. @throws CORRUPT when it ends before `to` */
export async function readBlob(reader: BlobReader, from = 0, to = reader.size): Promise<Buffer> {
  const target = Buffer.allocUnsafe(to - from);
  for (let done = 0; done < target.length;) {
    const count = await reader.read(target.subarray(done), from + done);
    if (count === 0) throw shorter(from + done, to);
    done += count;
  }
  return target;
}

function shorter(at: number, to: number): VarveError {
  return new VarveError('CORRUPT', `a stored blob ends at byte ${at}; expected it to reach byte ${to}`, { at, to });
}
