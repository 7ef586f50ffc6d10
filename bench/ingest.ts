import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { receiveLayer } from '#layer/receive-layer';
import { layerFiles } from './layers.js';
import { sideBySide, table } from './measure.js';
import { shell } from './shell.js';

/**
 * How fast is a layer taken in (hashed, inflated, indexed, stored, flushed), compared to hashing alone? Takes a folder of
 * layers, plain or gzip.
 */
export async function benchIngest(given?: string): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  const blobs = await openFilesystemBlobStore(join(scratch, 'blobs'));
  try {
    const files = layerFiles(scratch, given);
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    const measured = await sideBySide(
      [
        {
          name: '`sha256sum` of what is inside',
          bytes,
          run: () => shell('for f; do gzip -dcf "$f" | sha256sum; done >/dev/null', ...files),
        },
        {
          name: 'receive and seal',
          bytes,
          run: async () => {
            for (const file of files) {
              const layer = await receiveLayer(blobs, createReadStream(file, { highWaterMark: 1 << 20 }));
              await layer.seal();
            }
          },
        },
      ],
      5,
    );
    return table(`Taking in ${files.length} layers, ${(bytes / 1e6).toFixed(0)} MB`, measured);
  } finally {
    await blobs.close();
    rmSync(scratch, { recursive: true });
  }
}
