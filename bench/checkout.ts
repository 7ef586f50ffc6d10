import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import type { DiffId } from '#core/digest';
import { stackOfLayers } from '#core/layer-stack';
import { parseRepositoryName } from '#core/name';
import { receiveLayer } from '#layer/receive-layer';
import { writeRootfs } from '#materialize/write-rootfs';
import type { BlobAddress } from '#ports/blob-store';
import type { LayerIndex } from '#tar/layer-index';
import { planRootfs, type RootfsPlan } from '#union/rootfs-plan';
import { TreeStore } from '#union/tree-store';
import { layerFiles } from './layers.js';
import { sideBySide, table } from './measure.js';
import { shell } from './shell.js';

/**
 * How fast is the root filesystem of a stack written to a file, compared to `cat` of the same bytes? In one process,
 * without a server. Takes a folder of plain layers, lowest first by name.
 */
export async function benchCheckout(given?: string): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  const blobs = await openFilesystemBlobStore(join(scratch, 'blobs'));
  try {
    const stack: DiffId[] = [];
    const stored = new Map<DiffId, { readonly address: BlobAddress; readonly index: LayerIndex }>();
    for (const file of layerFiles(scratch, given)) {
      const layer = await receiveLayer(blobs, createReadStream(file));
      const index = await layer.readIndex();
      stored.set(layer.diffId, { address: await layer.seal(), index });
      stack.push(layer.diffId);
    }
    const held = (diffId: DiffId) => {
      const layer = stored.get(diffId);
      if (!layer) throw new Error(`the plan names a layer that is not of the stack: ${diffId}`);
      return layer;
    };
    const plan = async (): Promise<RootfsPlan> => {
      const trees = new TreeStore({ loadIndex: async (_, diffId) => held(diffId).index, cacheBytes: 1 << 30 });
      return planRootfs(await trees.tree(parseRepositoryName('bench'), stackOfLayers(stack)));
    };
    const write = (planned: RootfsPlan, file: string) =>
      pipeline(
        writeRootfs(planned, (diffId) => blobs.open(held(diffId).address)),
        createWriteStream(file),
      );

    const flat = join(scratch, 'flat.tar');
    const output = join(scratch, 'output.tar');
    const kept = await plan();
    await write(kept, flat);
    const bytes = kept.length;
    const measured = await sideBySide([
      { name: '`cat` to a file', bytes, run: () => shell('cat "$1" >"$2"', flat, output) },
      { name: 'write a kept plan', bytes, run: () => write(kept, output) },
      { name: 'plan and write', bytes, run: async () => write(await plan(), output) },
      { name: 'plan alone', bytes, run: async () => void (await plan()) },
    ]);
    await shell('cmp "$1" "$2"', flat, output);
    return table(
      `Checkout of ${stack.length} layers, ${kept.entryCount} entries, ${(bytes / 1e6).toFixed(0)} MB`,
      measured,
    );
  } finally {
    await blobs.close();
    rmSync(scratch, { recursive: true });
  }
}
