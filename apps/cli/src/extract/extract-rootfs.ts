import { readTar } from '#tar/read-tar';
import type { ExtractionReport } from './extraction-report.js';
import { stageDirectory } from './staged-directory.js';
import { TreeWriter } from './tree-writer.js';

/**
 * Makes the tree of a tar at `directory`, which must be absent or empty. It is written to a sibling and put in place at
 * the end, so an extraction that fails or is interrupted leaves nothing.
 * @throws REQUEST_INVALID (not empty, not writable), ARCHIVE_INVALID (a name that is not ours to write), STORAGE_FULL,
 * and whatever `source` throws
 */
export async function extractRootfs(source: AsyncIterable<Uint8Array>, directory: string): Promise<ExtractionReport> {
  const staged = await stageDirectory(directory);
  try {
    const writer = new TreeWriter(staged.path, staged.scratch);
    try {
      for await (const entry of readTar(source)) await writer.write(entry);
      await writer.finish();
    } finally {
      writer.abandon();
    }
    await staged.publish();
    return writer.report;
  } catch (error) {
    await staged.discard();
    throw error;
  }
}
