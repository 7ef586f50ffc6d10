import { randomBytes } from 'node:crypto';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { type ErrorCode, isVarveError } from '#core/error';
import { loadArchive } from '#history/load-archive';
import { Submitter } from '#history/submitter';
import { LayerStore } from '#layer/layer-store';
import { writeRootfs } from '#materialize/write-rootfs';
import type { BlobStore } from '#ports/blob-store';
import { layerStackOf } from '#ports/read-stack';
import { Projector } from '#projection/follow';
import { planRootfs } from '#union/rootfs-plan';
import { TreeStore } from '#union/tree-store';

/** What an archive may be refused with; anything else is a bug. */
const refusals: readonly ErrorCode[] = [
  'ARCHIVE_INVALID', 'MANIFEST_INVALID', 'LAYER_INVALID', 'DIGEST_INVALID', 'DIGEST_MISMATCH', 'SIZE_MISMATCH', 'BLOB_MISSING',
  'NAME_INVALID', 'REQUEST_INVALID', 'UNSUPPORTED', 'TAG_IMMUTABLE', 'LIMIT_EXCEEDED', 'COMMIT_INVALID',
]; // prettier-ignore

/**
 * Loads an archive into an empty history. Returns true when it was taken, and then every image of it has been written
 * out, exactly as long as planned; false when it was refused, and then nothing is left.
 */
export async function loadAndWrite(bytes: Buffer): Promise<boolean> {
  const clock = { now: () => 1_700_000_000_000 };
  const log = openMemoryEventLog(clock);
  const graph = openMemoryGraphStore();
  const blobs = openMemoryBlobStore();
  const projector = new Projector({ log, graph });
  const submitter = new Submitter({ log, graph, clock, random: randomBytes });
  const layers = new LayerStore(graph, blobs);
  projector.start();
  try {
    const context = { actor: { name: 'fuzz', verified: false }, reason: '', idempotencyKey: null, request: null };
    const options = { source: inChunks(bytes), repo: null, moveTags: false };
    const report = await loadArchive({ graph, submitter, blobs }, options, context).catch((error: unknown) => {
      if (isVarveError(error) && refusals.includes(error.code)) return undefined;
      throw error;
    });
    if (report === undefined) {
      await expectEmpty(blobs);
      return false;
    }
    const trees = new TreeStore({ loadIndex: (repo, diffId) => layers.index(repo, diffId), cacheBytes: 1 << 20 });
    for (const { repo, commit } of report.images) {
      const row = await graph.commit(repo, commit);
      if (!row) throw new Error(`${commit} was loaded, and is not there`);
      const plan = planRootfs(await trees.tree(repo, await layerStackOf(graph, trees, row)));
      let count = 0;
      for await (const chunk of writeRootfs(plan, (diffId) => layers.open(repo, diffId))) count += chunk.length;
      if (count !== plan.length) throw new Error(`${commit}: planned ${plan.length} bytes, wrote ${count}`);
    }
    return true;
  } finally {
    submitter.close();
    await projector.stop();
  }
}

async function expectEmpty(blobs: BlobStore): Promise<void> {
  for await (const { digest } of blobs.blobs()) throw new Error(`the refused archive left ${digest}`);
  for await (const { name } of blobs.staged()) throw new Error(`the refused archive left ${name} staged`);
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}
