import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { VarveError } from '#core/error';
import { fileError } from './file-error.js';

const blockBytes = 512;
/** The largest size that eleven octal digits can say; beyond it the size goes in base 256, as GNU tar writes it. */
const octalSizeMax = 8 ** 11 - 1;

/**
 * An unpacked image archive (an OCI layout, a `docker save` that was extracted) as the tar it stands for: files, folders
 * and symlinks by name, without owners and times, which mean nothing there.
 * @throws REQUEST_INVALID when a file cannot be read, changes under us, or has a name no archive has
 */
export async function* tarDirectory(directory: string): AsyncGenerator<Uint8Array> {
  yield* tarFolder(directory, '');
  yield Buffer.alloc(2 * blockBytes);
}

async function* tarFolder(directory: string, prefix: string): AsyncGenerator<Uint8Array> {
  const names = await attempt(directory, () => readdir(directory));
  for (const name of names.toSorted()) {
    const path = join(directory, name);
    const found = await attempt(path, () => lstat(path));
    const entryName = `${prefix}${name}`;
    if (found.isDirectory()) {
      yield header({ name: `${entryName}/`, type: '5', sizeBytes: 0, link: '' });
      yield* tarFolder(path, `${entryName}/`);
    } else if (found.isSymbolicLink()) {
      const link = await attempt(path, () => readlink(path));
      yield header({ name: entryName, type: '2', sizeBytes: 0, link });
    } else {
      yield* tarFile(path, entryName, found);
    }
  }
}

async function* tarFile(path: string, name: string, found: Stats): AsyncGenerator<Uint8Array> {
  if (!found.isFile())
    throw new VarveError('REQUEST_INVALID', `${path} is neither a file, a folder nor a symlink`, { path });
  yield header({ name, type: '0', sizeBytes: found.size, link: '' });
  let sentBytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      sentBytes += chunk.length;
      yield chunk;
    }
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
  if (sentBytes !== found.size) {
    throw new VarveError(
      'REQUEST_INVALID',
      `${path} changed while it was read: it had ${found.size} bytes, then ${sentBytes}`,
      { path },
    );
  }
  yield Buffer.alloc((blockBytes - (sentBytes % blockBytes)) % blockBytes);
}

/** A ustar header. Names of image archives are short; one that does not fit is refused. */
function header({
  name,
  type,
  sizeBytes,
  link,
}: {
  name: string;
  type: string;
  sizeBytes: number;
  link: string;
}): Buffer {
  const block = Buffer.alloc(blockBytes);
  if (Buffer.byteLength(name) > 100 || Buffer.byteLength(link) > 100) {
    throw new VarveError('REQUEST_INVALID', `"${name}" is too long a name for an image archive: at most 100 bytes`, {
      name,
    });
  }
  block.write(name, 0);
  block.write(type === '5' ? '0000755\0' : '0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  writeSize(block, sizeBytes);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(link, 157);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function writeSize(block: Buffer, sizeBytes: number): void {
  if (sizeBytes <= octalSizeMax) {
    block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
    return;
  }
  block[124] = 0x80;
  block.writeBigUInt64BE(BigInt(sizeBytes), 128);
}

async function attempt<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}
