import type { Event, Proposal } from '#core/event';
import { decide } from '#core/fold';
import type { RefName, RepositoryName } from '#core/name';
import { type RefValue, sameRefValue } from '#core/ref';
import type { AuditEntry } from './entry.js';
import type { MoveEvidence } from './evidence.js';
import { invalid, mapSays } from './proven-ref.js';
import { ReplayFacts } from './replay-facts.js';

interface Replayed {
  readonly event: Event | null;
  readonly moved: AuditEntry;
  readonly before: AuditEntry;
  readonly evidence: MoveEvidence;
  readonly expected: { readonly repo: RepositoryName; readonly ref: RefName; readonly value: RefValue };
}

/**
 * Makes the decision on a move again, with the fold itself, by what the map held before it. False when the commits that
 * show the descent are not in the proof: then all but the decision was checked.
 * @throws PROOF_INVALID when the record does not set the ref to this, or the fold decides otherwise
 */
export function replayMove({ event, moved, before, evidence, expected }: Replayed): boolean {
  const { repo, ref, value } = expected;
  if (!event || !('updates' in event) || event.repo !== repo)
    throw invalid('the move is a record that moves no ref of the repository');
  const place = event.updates.findIndex((update) => update.ref === ref);
  if (place < 0 || event.updates[place]?.to !== value.commit)
    throw invalid(`the record does not set ${ref} to ${value.commit}`);
  const refs = refsBefore(event, before, evidence);
  // Every move of a record counts one, so the first of them tells the count before.
  const moves = value.version - place - 1;
  const earlier = [...refs.values()].map((each) => each?.version ?? 0);
  if (moves < Math.max(0, ...earlier)) throw invalid(`version ${value.version} is not later than those before it`);
  if (evidence.commits === null) return false;
  const facts = new ReplayFacts({ proposal: event, time: before.t, refs, moves, commits: evidence.commits });
  const decision = decide(facts, { offset: moved.offset, time: moved.t }, { type: 'event', event }, onlyPartition);
  const outcome = decision.type === 'decided' ? decision.outcome?.outcome : undefined;
  if (outcome?.type !== 'accepted') {
    throw invalid(
      `by the rules the move is ${outcome ? `rejected: ${outcome.message}` : 'not decided'}; the log says accepted`,
    );
  }
  if (outcome.moves.some((move) => move.ref === ref && sameRefValue(move, value))) return true;
  throw invalid(`by the rules the move does not set ${ref} to version ${value.version}`);
}

/** Which partition a repository lives in is known to the log; the entry says which this one is. */
const onlyPartition = { partition: 0, partitionCount: 1 };

function refsBefore(event: Proposal, { state }: AuditEntry, { refs }: MoveEvidence): Map<RefName, RefValue | null> {
  if (refs.length !== event.updates.length) throw invalid('the proof has not what all the moved refs held before');
  return new Map(
    event.updates.map(({ ref }, i) => {
      const held = refs[i] as (typeof refs)[number];
      mapSays(state, { repo: event.repo, ref }, held);
      return [ref, held.value];
    }),
  );
}
