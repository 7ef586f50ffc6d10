import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import type { ScratchGraph } from '#projection/replay-outcomes';

/** A graph in a temporary folder: a replay of a long history does not fit into memory. */
export async function openScratchGraph(): Promise<ScratchGraph> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-replay-'));
  const graph = openSqliteGraphStore(join(folder, 'graph.db'));
  return {
    graph,
    async close() {
      await graph.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
