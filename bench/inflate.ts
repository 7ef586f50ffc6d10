import { createReadStream, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomFillSync } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { DigestBuilder } from '#core/digest';
import { decompress } from '#layer/decompress';
import { sideBySide, table } from './measure.js';
import { shell } from './shell.js';

/**
 * How fast is a gzip layer inflated and hashed on its way in, compared to `gzip -dc | sha256sum`? Takes a gzip file;
 * without one, 64 MiB that shrink to about a third, as programs do.
 */
export async function benchInflate(given?: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  try {
    const file = given ?? sample(folder);
    const bytes = statSync(file).size;
    const measured = await sideBySide([
      { name: '`gzip -dc` to `sha256sum`', bytes, run: () => shell('gzip -dc "$1" | sha256sum >/dev/null', file) },
      { name: 'decompress and hash', bytes, run: () => inflateAndHash(file) },
    ]);
    return table(`Inflating ${(bytes / 1e6).toFixed(1)} MB of gzip`, measured);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function inflateAndHash(file: string): Promise<void> {
  const { bytes } = await decompress(createReadStream(file, { highWaterMark: 1 << 20 }));
  const digest = new DigestBuilder();
  for await (const chunk of bytes) digest.update(chunk);
  digest.digest();
}

/** Of every 64 bytes a quarter is noise; the rest repeats. */
function sample(into: string): string {
  const plain = Buffer.alloc(64 << 20, 'what programs are made of repeats itself, mostly, ');
  const noise = randomFillSync(Buffer.alloc(plain.length / 4));
  for (let at = 0; at < plain.length; at += 64) noise.copy(plain, at, at / 4, at / 4 + 16);
  const file = join(into, 'layer.tar.gz');
  writeFileSync(file, gzipSync(plain));
  return file;
}
