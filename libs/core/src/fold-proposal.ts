import { isAncestor, walkNow } from './ancestry.js';
import type { CommitId } from './commit.js';
import type { AcceptedMove, NamedBlob, Proposal } from './event.js';
import { type Accepted, rejected, type Rejected, type Step } from './fold-step.js';
import { acceptCommit } from './fold-commit.js';
import type { CommitRow, LayerRow, RepositoryRow } from './graph-row.js';
import { isTag } from './name.js';
import { formatRefValue, type RefUpdate, type RefValue, sameRefValue } from './ref.js';

/**
 * Judges a proposal under rule set 1: the repository, the blobs it names, its commits in order, its ref moves. All or
 * nothing: on a rejection the caller drops the step. @see event-log 1.4, 1.6
 */
export function judgeProposal(step: Step, proposal: Proposal): Accepted | Rejected {
  const refused = enterRepository(step, proposal) ?? bindBlobs(step, proposal.blobs);
  if (refused) return refused;

  const commits: CommitId[] = [];
  for (const bytes of proposal.commits) {
    const verdict = acceptCommit(step, proposal.repo, bytes);
    if (verdict.type === 'rejected') return verdict;
    if (verdict.type === 'new') commits.push(verdict.id);
  }

  const moves: AcceptedMove[] = [];
  for (const update of proposal.updates) {
    const verdict = moveRef(step, proposal, update);
    if ('type' in verdict) return verdict;
    moves.push(verdict);
  }
  return { type: 'accepted', commits, moves };
}

/** The first creation wins; everything else needs a repository that is there. */
function enterRepository(step: Step, proposal: Proposal): Rejected | undefined {
  const { repo } = proposal;
  const exists = step.facts.repository(repo) !== undefined;
  if (proposal.type !== 'repo.create.v1') {
    return exists ? undefined : rejected('REPOSITORY_UNKNOWN', `there is no repository ${repo}`, { repository: repo });
  }
  if (exists) return rejected('REPOSITORY_EXISTS', `repository ${repo} exists already`, { repository: repo });
  const { defaultBranch } = proposal;
  const after = { repo, generation: 1, defaultBranch, moves: 0, commits: 0, floor: 0, createdAt: step.time };
  step.facts.add({ type: 'repository', before: null, after });
  return undefined;
}

function bindBlobs(step: Step, blobs: readonly NamedBlob[]): Rejected | undefined {
  for (const named of blobs) {
    const refused = bindBlob(step, named) ?? bindLayer(step, named);
    if (refused) return refused;
  }
  return undefined;
}

function bindBlob(step: Step, { digest, incarnation, size, mediaType }: NamedBlob): Rejected | undefined {
  const copies = step.facts.blobs(digest);
  const known = copies.find((row) => row.incarnation === incarnation);
  if (known && known.retiredEpoch !== null) {
    return rejected('BLOB_GONE', `copy ${incarnation} of blob ${digest} was retired; upload it again`, {
      digest,
      incarnation,
    });
  }
  // Equal bytes have equal sizes: who says otherwise has not stored what he names.
  const other = copies.find((row) => row.retiredEpoch === null && row.size !== size);
  if (other) {
    const message = `blob ${digest} has ${other.size} bytes; the proposal says ${size}`;
    return rejected('SIZE_MISMATCH', message, { digest, expected: other.size, actual: size });
  }
  if (!known) {
    const after = { digest, incarnation, size, mediaType, retiredEpoch: null, sweptEpoch: null };
    step.facts.add({ type: 'blob', before: null, after });
  }
  return undefined;
}

function bindLayer(step: Step, { digest, incarnation, layer }: NamedBlob): Rejected | undefined {
  if (layer === null) return undefined;
  const { diffId, tarBytes } = layer;
  const before = step.facts.layer(diffId);
  if (before && before.tarBytes !== tarBytes) {
    const message = `layer ${diffId} has ${before.tarBytes} bytes of tar; the proposal says ${tarBytes}`;
    return rejected('SIZE_MISMATCH', message, { diffId, expected: before.tarBytes, actual: tarBytes });
  }
  const encodings = before?.encodings ?? [];
  if (encodings.some((known) => known.digest === digest && known.incarnation === incarnation)) return undefined;
  const after: LayerRow = { diffId, tarBytes, encodings: [...encodings, { digest, incarnation }] };
  step.facts.add({ type: 'layer', before: before ?? null, after });
  return undefined;
}

/** The one decision that needs an order: whether the ref still holds what the proposer saw. */
function moveRef(step: Step, proposal: Proposal, update: RefUpdate): AcceptedMove | Rejected {
  const { repo } = proposal;
  const { ref, to } = update;
  const repository = step.facts.repository(repo) as RepositoryRow;
  const before = step.facts.ref(repo, ref) ?? null;
  const actual: RefValue = before ?? { commit: null, version: repository.floor };
  const refused = whatForbidsMove(step, proposal, update, actual);
  if (refused) return refused;

  const version = repository.moves + 1;
  const after: RefValue = { commit: to, version };
  step.facts.add({ type: 'repository', before: repository, after: { ...repository, moves: version } });
  step.facts.add({ type: 'ref', repo, ref, before, after });
  const { operation, reason, actor, txid } = proposal;
  const move = { repo, ref, version, from: actual.commit, to, operation, reason, actor, txid };
  step.facts.add({ type: 'reflog', after: { ...move, offset: step.offset, time: step.time } });
  return { ref, commit: to, version };
}

function whatForbidsMove(
  step: Step,
  { repo }: Proposal,
  { ref, expect, to, mode }: RefUpdate,
  actual: RefValue,
): Rejected | undefined {
  if (!sameRefValue(actual, expect)) {
    const message = `${ref} is at ${formatRefValue(actual)}; the update expects ${formatRefValue(expect)}`;
    return rejected('REF_STALE', message, { repository: repo, ref, expected: expect, actual });
  }
  if (to === null && actual.commit === null) {
    return rejected('REF_UNKNOWN', `${ref} of ${repo} cannot be deleted: it does not exist`, { repository: repo, ref });
  }
  if (isTag(ref) && actual.commit !== null && mode !== 'force') {
    const message = `tag ${ref} of ${repo} is at ${actual.commit}; a tag is moved or deleted only by force`;
    return rejected('TAG_IMMUTABLE', message, { repository: repo, ref, actual });
  }
  if (to === null) return undefined;
  const target = step.facts.commit(repo, to);
  if (!target) {
    return rejected('COMMIT_UNKNOWN', `${ref} cannot be set to ${to}: ${repo} has no such commit`, { commit: to, ref });
  }
  if (mode === 'force' || actual.commit === null) return undefined;
  return whatForbidsForward(step, target, ref, actual.commit);
}

/** The proposer has proved it before; here it is checked again within bounds. @see event-log 1.6 rule 10 */
function whatForbidsForward(step: Step, target: CommitRow, ref: string, tip: CommitId): Rejected | undefined {
  const { repo } = target;
  const from = step.facts.commit(repo, tip) as CommitRow;
  const answer = walkNow(isAncestor(from, target), (seq) => step.facts.commitAt(repo, seq) as CommitRow);
  if (answer === 'yes') return undefined;
  const message = `${ref} cannot move forward to ${target.id}: it does not descend from ${tip}`;
  return rejected('NOT_FAST_FORWARD', message, {
    repository: repo,
    ref,
    from: tip,
    to: target.id,
    tooFar: answer === 'unproven',
  });
}
