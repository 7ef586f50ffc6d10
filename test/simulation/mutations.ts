import { decodeEvent } from '#core/event-codec';
import type { decide } from '#core/fold';
import type { Facts, OutcomeRow } from '#core/graph-row';
import type { ProposalDraft } from '#history/draft';
import { Submitter } from '#history/submitter';
import type { WriteContext, Written } from '#history/write';
import type { AppliedNotice } from '#ports/graph-store';
import { wrapGraph, wrapLog } from '../fixture/wrapped-stores.js';
import type { Wrap } from './simulated-cluster.js';

type Decide = typeof decide;

/** Compares the commit alone: `expect` gets whatever version the ref has. */
export function withoutVersions(judge: Decide): Decide {
  return (facts, record, decoded, place) => {
    if (decoded.type === 'malformed' || !('updates' in decoded.event)) return judge(facts, record, decoded, place);
    const { repo } = decoded.event;
    const updates = decoded.event.updates.map((update) => {
      const version = facts.ref(repo, update.ref)?.version ?? 0;
      return { ...update, expect: { ...update.expect, version } };
    });
    return judge(facts, record, { type: 'event', event: { ...decoded.event, updates } }, place);
  };
}

/** Judges every copy of a transaction. */
export function withoutFirstOutcome(judge: Decide): Decide {
  return (facts, ...rest) => {
    const forgetful: Facts = {
      partition: () => facts.partition(),
      repository: (repo) => facts.repository(repo),
      commit: (repo, id) => facts.commit(repo, id),
      commitAt: (repo, seq) => facts.commitAt(repo, seq),
      ref: (repo, ref) => facts.ref(repo, ref),
      outcome: () => undefined,
      layer: (diffId) => facts.layer(diffId),
      blobs: (digest) => facts.blobs(digest),
    };
    return judge(forgetful, ...rest);
  };
}

/** Takes a batch wherever the graph is. */
export const withoutPreviousOffset: Wrap = ({ log, graph }) => ({
  log,
  graph: wrapGraph(graph, {
    apply: async (partition, batch) => {
      const { offset } = await graph.checkpoint(partition);
      return graph.apply(partition, { ...batch, previousOffset: offset });
    },
  }),
});

/** What is acknowledged counts as done: every proposal as what it hoped for. */
export const withAcknowledgementsTrusted: Wrap = ({ log, graph }) => {
  const listeners = new Set<(notice: AppliedNotice) => void>();
  return {
    log: wrapLog(log, {
      append: async (partition, records) => {
        await log.append(partition, records);
        const offset = await log.end(partition).then((end) => end - 1);
        const outcomes = records.flatMap((bytes) => hopedFor(bytes, offset));
        for (const hear of listeners) hear({ partition, offset, outcomes });
      },
    }),
    graph: wrapGraph(graph, {
      onApplied: (hear) => {
        listeners.add(hear);
        return () => listeners.delete(hear);
      },
    }),
  };
};

/** Says of a record the last fence before it was sent, and not before what it names was stored. */
export class EpochReadLast extends Submitter {
  override async submit(draft: ProposalDraft, context: WriteContext): Promise<Written> {
    // It dawdles: whole collections come between.
    for (let reads = 0; reads < 40; reads += 1) await this.nothingWritten(draft.repo);
    return super.submit({ ...draft, gcEpoch: undefined }, context);
  }
}

function hopedFor(bytes: Uint8Array, offset: number): OutcomeRow[] {
  const decoded = decodeEvent(bytes);
  if (decoded.type === 'malformed' || !('updates' in decoded.event)) return [];
  const { txid, repo, request, updates } = decoded.event;
  const moves = updates.map(({ ref, to, expect }) => ({ ref, commit: to, version: expect.version + 1 }));
  return [{ txid, repo, request, offset, time: 0, stretch: 0, outcome: { type: 'accepted', commits: [], moves } }];
}
