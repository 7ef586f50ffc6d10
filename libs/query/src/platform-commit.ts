import type { Commit, Platform } from '#core/commit';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { formatPlatform, matchesPlatform } from '#core/manifest';
import type { GraphReader } from '#ports/graph-store';
import { knownCommit, readCommit } from './read-commit.js';

/**
 * The commit whose tree a commit means: itself, but of one image for several platforms that of the platform asked for,
 * or the only one. Whoever wants files asks this first.
 * @throws REVISION_AMBIGUOUS (detail.platforms: which there are), COMMIT_UNKNOWN (it is not for that platform), CORRUPT
 */
export async function commitForTree(graph: GraphReader, row: CommitRow, platform: Platform | null): Promise<CommitRow> {
  // A commit that groups platforms has no layers: most answers need no more than that.
  if (row.stackLayers > 0 && platform === null) return row;
  const commit = await readCommit(graph, row);
  if (commit.index === null) return checked(row, commit, platform);
  const found = commit.index.filter((entry) => platform === null || matchesPlatform(entry.platform, platform));
  const exact = found.filter((entry) => entry.platform.variant === platform?.variant);
  const [only, ...others] = exact.length === 1 ? exact : found;
  if (only && others.length === 0) return knownCommit(graph, row.repo, only.commit);
  throw severalPlatforms(row, { index: commit.index, found, platform });
}

function checked(row: CommitRow, commit: Commit, platform: Platform | null): CommitRow {
  if (platform === null || commit.platform === null || matchesPlatform(commit.platform, platform)) return row;
  const [actual, wanted] = [formatPlatform(commit.platform), formatPlatform(platform)];
  const message = `commit ${row.id.slice(0, 12)} is for ${actual}, not for ${wanted}`;
  throw new VarveError('COMMIT_UNKNOWN', message, { commit: row.id, platform: wanted, platforms: [actual] });
}

type Index = NonNullable<Commit['index']>;

function severalPlatforms(
  { id }: CommitRow,
  { index, found, platform }: { readonly index: Index; readonly found: Index; readonly platform: Platform | null },
): VarveError {
  const platforms = (found.length > 0 ? found : index).map((entry) => formatPlatform(entry.platform));
  const commit = `commit ${id.slice(0, 12)}`;
  const detail = { commit: id, platform: platform && formatPlatform(platform), platforms };
  if (found.length > 0) {
    const message = `${commit} is one image for ${platforms.join(', ')}: say which platform`;
    return new VarveError('REVISION_AMBIGUOUS', message, detail);
  }
  return new VarveError(
    'COMMIT_UNKNOWN',
    `${commit} is for ${platforms.join(', ')}, not for ${detail.platform}`,
    detail,
  );
}
