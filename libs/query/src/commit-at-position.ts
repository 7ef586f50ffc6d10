import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { type RefName, type RepositoryName, shortRefName } from '#core/name';
import { formatPosition, type Position } from '#core/position';
import { awaitPosition, type Placed } from './await-position.js';
import { GraphAt } from './graph-at.js';
import { knownCommit } from './read-commit.js';

interface Question extends Placed {
  readonly repo: RepositoryName;
  readonly text: string;
}

/**
 * What a ref pointed at after the record at a position, which is waited for as any minimum is.
 * @throws POSITION_UNKNOWN for one of another log or partition, NOT_PROJECTED; COMMIT_UNKNOWN when the ref was not there
 */
export async function commitAtPosition(
  { graph, log, repo, text }: Question,
  { ref, position }: { readonly ref: RefName; readonly position: Position },
): Promise<CommitRow> {
  await awaitPosition({ graph, log }, position);
  const value = await new GraphAt(graph, { type: 'position', position }).ref(repo, ref);
  if (value?.commit) return knownCommit(graph, repo, value.commit);
  const place = formatPosition(position);
  const why = value ? `was deleted at ${place}` : `was not there yet at ${place}`;
  throw new VarveError('COMMIT_UNKNOWN', `"${text}": ${shortRefName(ref)} ${why}`, { text, ref, position: place });
}
