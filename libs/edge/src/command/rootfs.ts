import type { CommitRow } from '#core/graph-row';
import { parsePlatform } from '#core/manifest';
import type { RepositoryName } from '#core/name';
import { compressTar, type TarCompression } from '#materialize/compress-tar';
import { tarName } from '#materialize/tarball-name';
import { writeRootfs } from '#materialize/write-rootfs';
import { layerStackOf } from '#ports/read-stack';
import { commitForTree } from '#query/platform-commit';
import { resolve } from '#query/resolve';
import { planRootfsInTurns } from '#union/rootfs-plan';
import type { Engine } from '../engine.js';

/** Bytes that were planned and not made yet; `size` is exact. */
export interface OpenedBytes {
  readonly size: number;
  read(from: number, to: number): AsyncGenerator<Uint8Array>;
  close?(): Promise<void>;
}

/** The commit whose files a revision means; `platform` chooses from an image for several. @throws REVISION_AMBIGUOUS, and what resolving throws */
export async function rootfsCommit(
  engine: Engine,
  repo: RepositoryName,
  { rev, platform }: { readonly rev: string; readonly platform: string | undefined },
): Promise<CommitRow> {
  const found = await resolve(engine, repo, rev);
  return commitForTree(engine.graph, found.commit, platform === undefined ? null : parsePlatform(platform));
}

/** Known without reading anything: equal stacks written by equal code are equal bytes. */
export function rootfsTag({ chainId }: CommitRow, suffix: string): string {
  return `"${tarName(chainId)}${suffix}"`;
}

/** Plans the tar. @throws LAYER_INVALID, CORRUPT, LIMIT_EXCEEDED */
export async function openRootfs({ graph, trees, layers }: Engine, commit: CommitRow): Promise<OpenedBytes> {
  const plan = await planRootfsInTurns(await trees.tree(commit.repo, await layerStackOf(graph, trees, commit)));
  return {
    size: plan.length,
    read: (from, to) => writeRootfs(plan, layers.bodies(commit.repo), { from, to }),
  };
}

/** All of it, compressed on the way. */
export async function compressedRootfs(engine: Engine, commit: CommitRow, compression: TarCompression) {
  const opened = await openRootfs(engine, commit);
  return compressTar(opened.read(0, opened.size), compression);
}
