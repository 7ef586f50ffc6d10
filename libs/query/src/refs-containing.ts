import { isAncestor, walkLater } from '#core/ancestry';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { GraphReader } from '#ports/graph-store';
import { commitAt, knownCommit } from './read-commit.js';
import { type ExistingRef, listRefs } from './refs.js';

/**
 * The refs from which a commit can be reached, by name; a commit is reached from itself. Refs of one commit are walked
 * once. @throws LIMIT_EXCEEDED when an answer takes more than `limit.ancestryStepsMax` commits
 */
export async function refsContaining(graph: GraphReader, commit: CommitRow): Promise<readonly ExistingRef[]> {
  const refs = await listRefs(graph, commit.repo);
  const reached = new Map<string, boolean>();
  const containing: ExistingRef[] = [];
  for (const existing of refs) {
    const tip = existing.value.commit;
    const known = reached.get(tip) ?? (await isReached(graph, commit, await knownCommit(graph, commit.repo, tip)));
    reached.set(tip, known);
    if (known) containing.push(existing);
  }
  return containing;
}

async function isReached(graph: GraphReader, commit: CommitRow, tip: CommitRow): Promise<boolean> {
  const answer = await walkLater(isAncestor(commit, tip), (seq) => commitAt(graph, commit.repo, seq));
  if (answer !== 'unproven') return answer === 'yes';
  const message = `whether ${tip.id} descends from ${commit.id} takes more than ${limit.ancestryStepsMax} commits`;
  throw new VarveError('LIMIT_EXCEEDED', message, { commit: commit.id, tip: tip.id });
}
