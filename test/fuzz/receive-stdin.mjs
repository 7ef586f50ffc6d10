/**
 * Takes what comes on standard input as `argv[2]`: a "layer", or an "archive" of images; with the built product and a
 * store in memory that forgets the bytes. Prints the outcome and the most memory this process ever took.
 */
import { randomBytes } from 'node:crypto';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { loadArchive } from '#history/load-archive';
import { Submitter } from '#history/submitter';
import { receiveLayer } from '#layer/receive-layer';
import { Projector } from '#projection/follow';

const [, , kind, folder] = process.argv;
const blobs = await openFilesystemBlobStore(folder);

async function take() {
  if (kind === 'layer') {
    const layer = await receiveLayer(blobs, process.stdin);
    const { entries } = await layer.readIndex();
    await layer.discard();
    return { entries: entries.count };
  }
  const clock = { now: () => Date.now() };
  const log = openMemoryEventLog(clock);
  const graph = openMemoryGraphStore();
  const projector = new Projector({ log, graph });
  const submitter = new Submitter({ log, graph, clock, random: randomBytes });
  projector.start();
  const context = { actor: { name: 'fuzz', verified: false }, reason: '', idempotencyKey: null, request: null };
  const { images } = await loadArchive(
    { graph, submitter, blobs },
    { source: process.stdin, repo: null, moveTags: false },
    context,
  );
  return { images: images.length };
}

const outcome = await take().catch((error) => ({
  code: error.code ?? String(error),
  message: error.message,
  detail: error.detail,
}));
const status = (await import('node:fs')).readFileSync('/proc/self/status', 'utf8');
const peakBytes = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
process.stdout.write(JSON.stringify({ ...outcome, peakBytes }));
process.exit(0);
