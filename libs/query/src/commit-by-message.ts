import { Frontier, logWalk } from '#core/ancestry';
import { decodeCommit } from '#core/commit';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { commitAt, knownCommit } from './read-commit.js';

/**
 * The newest commit that some ref reaches and whose message contains the text, as it is written.
 * @throws COMMIT_UNKNOWN, LIMIT_EXCEEDED when the newest `limit.messageSearchCommitsMax` commits do not have it
 */
export async function commitByMessage(graph: GraphReader, repo: RepositoryName, text: string): Promise<CommitRow> {
  const tips = [...new Set((await graph.refs(repo)).map(({ value }) => value.commit))];
  const rows = await Promise.all(tips.map((tip) => knownCommit(graph, repo, tip)));
  // The canonical bytes escape a string in one way alone, so most commits need not be decoded.
  const written = Buffer.from(JSON.stringify(text).slice(1, -1));
  let looked = 0;
  for await (const row of logWalk((seq) => commitAt(graph, repo, seq), new Frontier(rows.map(({ seq }) => seq)))) {
    if (looked++ === limit.messageSearchCommitsMax) throw tooFar(repo, text);
    const bytes = await graph.commitBytes(repo, row.id);
    if (bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(written)) {
      if (decodeCommit(bytes).commit.message.includes(text)) return row;
    }
  }
  throw new VarveError('COMMIT_UNKNOWN', `no commit that a ref of ${repo} reaches has "${text}" in its message`, {
    text,
    repository: repo,
  });
}

function tooFar(repo: RepositoryName, text: string): VarveError {
  const message = `":/${text}": the newest ${limit.messageSearchCommitsMax} commits of ${repo} do not have it in their messages; older ones are not looked at`;
  return new VarveError('LIMIT_EXCEEDED', message, { text, commits: limit.messageSearchCommitsMax });
}
