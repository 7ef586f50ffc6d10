import { hash } from 'node:crypto';
import { VarveError, isVarveError } from '#core/error';
import type { Proposal, TransactionCancel } from '#core/event';
import { encodeEvent } from '#core/event-codec';
import { oldestEpoch, type OutcomeRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { sameRefValue } from '#core/ref';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { type Content, type ProposalDraft, splitDraft } from './draft.js';
import { Outcomes } from './outcomes.js';
import { checkContext, checkSize, expiredOutcome, staleEpoch, staleRef, unknownOutcome } from './refusal.js';
import { Sender } from './sender.js';
import { partOf, transactionOf, tryOf } from './transaction-id.js';
import type { WriteContext, Written } from './write.js';

export interface SubmitterOptions {
  readonly log: EventLog;
  readonly graph: GraphReader;
  /** So many unpredictable bytes. */
  readonly random: (sizeBytes: number) => Uint8Array;
  /** Told in the envelope of events, never decided by. */
  readonly clock: Clock;
  /** How long an outcome is waited for. */
  readonly outcomeWaitMs?: number;
}

const resendMs = 50;

/**
 * Puts proposals into the log and waits for what the fold makes of them. Any number of submitters may work on one log;
 * none of them decides anything: what they check beforehand only saves the log a record that is lost already.
 * @see event-log 1.4, 1.6
 */
export class Submitter {
  readonly #options: Required<SubmitterOptions>;
  readonly #senders: readonly Sender[];
  readonly #outcomes: Outcomes;

  constructor(options: SubmitterOptions) {
    this.#options = { outcomeWaitMs: limit.outcomeWaitMs, ...options };
    const { log, graph } = options;
    this.#senders = Array.from({ length: log.partitionCount }, (_, partition) => new Sender(log, partition));
    this.#outcomes = new Outcomes(graph);
  }

  /**
   * When it returns, the write is durable and projected. When it throws with a code of the fold's, it never takes
   * effect; with OUTCOME_UNKNOWN, OUTCOME_EXPIRED or CANCELLED (the detail has the transaction) it may have: the same call
   * with the same idempotency key tells, while the outcome is kept.
   * @throws what the fold rejects with; REPOSITORY_UNKNOWN, REF_STALE, IDEMPOTENCY_KEY_REUSED, LIMIT_EXCEEDED,
   * STORAGE_FULL (nothing was appended), GC_EPOCH_STALE, OUTCOME_UNKNOWN, OUTCOME_EXPIRED, CANCELLED
   */
  async submit(draft: ProposalDraft, context: WriteContext): Promise<Written> {
    checkContext(context);
    // Before the outcome is looked for: one that is found missing was not given before this epoch, or is forgotten, so
    // no copy of what is sent now can be judged when it is. @see event-log 1.6 rule 2
    const gcEpoch = draft.gcEpoch ?? (await this.#gcEpoch(draft.repo));
    // The refs first, the outcome second: the other order could take an outcome's own effect for a lost race.
    const lost = await this.#whatIsLost(draft);
    const isKeyed = context.idempotencyKey !== null;
    const known = isKeyed ? await this.#lastTry(draft.repo, this.#transactionOf(draft, context)) : undefined;
    if (known?.row && !isBlobGone(known.row)) return this.#answer(known.row, context, true);
    if (lost) throw lost;

    const txid = known ? nextOf(known) : this.#randomTransaction();
    const { before, last } = splitDraft(draft);
    const commits = [];
    // One after the other: a commit is proposed only when its parents are known to be accepted.
    for (const content of before) {
      const part = proposalOf({ ...last, ...content, type: 'commit.batch.v1', updates: [] }, context, gcEpoch);
      const first = partOf(txid, digestsOf(content));
      const partTxid = isKeyed ? nextOf(await this.#lastTry(draft.repo, first)) : first;
      const row = await this.#decide({ ...part, txid: partTxid }, context.signal);
      commits.push(...this.#accepted(row, false).outcome.commits);
    }
    const row = await this.#decide({ ...proposalOf(last, context, gcEpoch), txid }, context.signal);
    const written = this.#answer(row, context, false);
    return { ...written, outcome: { ...written.outcome, commits: [...commits, ...written.outcome.commits] } };
  }

  /** What an earlier call with the same idempotency key wrote. @throws what it was rejected with; IDEMPOTENCY_KEY_REUSED */
  async seenOutcome(repo: RepositoryName, context: WriteContext, step?: string): Promise<Written | undefined> {
    if (context.idempotencyKey === null) return undefined;
    const { row } = await this.#lastTry(repo, transactionOf(repo, context.idempotencyKey, step));
    return row && !isBlobGone(row) ? this.#answer(row, context, true) : undefined;
  }

  /** Appends `tx.cancel`: afterwards `target` has an outcome, if only that it was cancelled. @throws OUTCOME_EXPIRED */
  async cancel(
    repo: RepositoryName,
    { txid: target, gcEpoch: targetEpoch }: { readonly txid: string; readonly gcEpoch: number },
    context: WriteContext,
  ): Promise<void> {
    checkContext(context);
    const { actor, request } = context;
    const gcEpoch = await this.#gcEpoch(repo);
    const txid = this.#randomTransaction();
    const row = await this.#decide(
      { type: 'tx.cancel.v1', txid, repo, actor, request, gcEpoch, target, targetEpoch },
      context.signal,
    );
    this.#accepted(row, false);
  }

  /** Where the graph is: the position of an answer that needed no record. */
  async nothingWritten(repo: RepositoryName): Promise<Written> {
    const partition = this.#partitionOf(repo);
    const { offset } = await this.#options.graph.checkpoint(partition);
    return {
      position: { log: this.#options.log.id, partition, offset },
      outcome: { type: 'accepted', commits: [], moves: [] },
      replayed: false,
    };
  }

  /** Stops listening to the graph. Calls in flight end by polling. */
  close(): void {
    this.#outcomes.close();
  }

  /**
   * A write whose blobs were collected before it was judged is refused for good, and may be made again with others under
   * the same key: each try is a transaction of its own, begun only when the one before it is known to have been refused
   * so. One of them at most takes effect.
   */
  async #lastTry(repo: RepositoryName, first: string): Promise<Try> {
    const { graph } = this.#options;
    const partition = this.#partitionOf(repo);
    let last: Try = { first, n: 0, row: await graph.outcome(partition, first) };
    while (last.row && isBlobGone(last.row)) {
      const n = last.n + 1;
      const row = await graph.outcome(partition, tryOf(first, n));
      if (!row) break;
      last = { first, n, row };
    }
    return last;
  }

  /**
   * A ref that has moved on since the caller looked. Versions only grow, so this is never a false alarm, however far
   * the graph lags behind.
   */
  async #whatIsLost({ type, repo, updates }: ProposalDraft): Promise<VarveError | undefined> {
    if (type === 'repo.create.v1') return undefined;
    const { graph } = this.#options;
    const [repository, ...values] = await Promise.all([
      graph.repository(repo),
      ...updates.map(({ ref }) => graph.ref(repo, ref)),
    ]);
    if (!repository) {
      return new VarveError('REPOSITORY_UNKNOWN', `there is no repository ${repo}`, { repository: repo });
    }
    for (const [i, update] of updates.entries()) {
      const actual = values[i] ?? { commit: null, version: repository.floor };
      if (actual.version >= update.expect.version && !sameRefValue(actual, update.expect)) {
        return staleRef(repo, update, actual);
      }
    }
    return undefined;
  }

  /** Sends the event until it has an outcome; the same bytes each time, so that copies are one transaction. */
  async #decide(event: Proposal | TransactionCancel, signal: AbortSignal | undefined): Promise<OutcomeRow> {
    const { log, clock, random, outcomeWaitMs } = this.#options;
    const bytes = encodeEvent(event, { source: `varve/${log.id}`, time: clock.now(), salt: random(16) });
    checkSize(bytes);
    const partition = this.#partitionOf(event.repo);
    const deadline = AbortSignal.timeout(outcomeWaitMs);
    const until = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const listening = this.#outcomes.listen(partition, event.txid);
    try {
      for (let mayStand = false; ; mayStand = true) {
        const end = await this.#send(partition, bytes, mayStand);
        const awaited = await listening.until(end, until);
        if (awaited.type === 'decided') return awaited.row;
        if (awaited.type === 'ended' || until.aborted) throw unknownOutcome(event, signal);
        const { partition: row } = awaited;
        if (oldestEpoch(row) > event.gcEpoch) throw expiredOutcome(event, row);
        // Every copy, sent or still on its way, is passed over from here on, and none has been judged.
        if (row.gcEpoch - 1 > event.gcEpoch) throw staleEpoch(event, row.gcEpoch);
      }
    } finally {
      listening.close();
    }
  }

  /**
   * Returns where the log ended afterwards, beyond everything when it does not say. A send that may have failed
   * half-way is answered as one that was sent.
   */
  async #send(partition: number, bytes: Uint8Array, mayStand: boolean): Promise<number> {
    const { log } = this.#options;
    try {
      await (this.#senders[partition] as Sender).send(bytes);
    } catch (error) {
      // Full means that this copy does not stand; what matters is whether an earlier one may.
      if (!isVarveError(error, 'UNAVAILABLE') && !(mayStand && isVarveError(error, 'STORAGE_FULL'))) throw error;
      await new Promise((resolve) => void setTimeout(resolve, resendMs));
    }
    return log.end(partition).catch(() => Number.POSITIVE_INFINITY);
  }

  #answer(row: OutcomeRow, context: WriteContext, replayed: boolean): Written {
    if (row.request !== null && context.request !== null && row.request !== context.request) {
      const message = `the idempotency key "${context.idempotencyKey}" was used for another request`;
      throw new VarveError('IDEMPOTENCY_KEY_REUSED', message, { key: context.idempotencyKey });
    }
    return this.#accepted(row, replayed);
  }

  #accepted({ txid, repo, offset, outcome }: OutcomeRow, replayed: boolean): Written {
    if (outcome.type === 'rejected') throw new VarveError(outcome.code, outcome.message, { ...outcome.detail, txid });
    const partition = repo === null ? 0 : this.#partitionOf(repo);
    return { position: { log: this.#options.log.id, partition, offset }, outcome, replayed };
  }

  #transactionOf({ repo, step }: ProposalDraft, { idempotencyKey }: WriteContext): string {
    return idempotencyKey === null ? this.#randomTransaction() : transactionOf(repo, idempotencyKey, step);
  }

  #randomTransaction(): string {
    return Buffer.from(this.#options.random(16)).toString('hex');
  }

  async #gcEpoch(repo: RepositoryName): Promise<number> {
    return (await this.#options.graph.checkpoint(this.#partitionOf(repo))).partition.gcEpoch;
  }

  #partitionOf(repo: RepositoryName): number {
    return partitionOf(repo, this.#options.log.partitionCount);
  }
}

function proposalOf(
  draft: ProposalDraft,
  { actor, reason, request, requestId }: WriteContext,
  gcEpoch: number,
): Proposal {
  const { step: _step, commits, ...fields } = draft;
  const told = { actor, reason, request, ...(requestId === undefined ? {} : { requestId }) };
  return { ...fields, ...told, txid: '', gcEpoch, commits: commits.map(({ bytes }) => bytes) };
}

/** The last try of a transaction that has an outcome, or the first when none has. */
interface Try {
  readonly first: string;
  readonly n: number;
  readonly row: OutcomeRow | undefined;
}

/** The transaction to propose now: the first try that was not refused for its blobs. */
function nextOf({ first, n, row }: Try): string {
  const next = row && isBlobGone(row) ? n + 1 : n;
  return next === 0 ? first : tryOf(first, next);
}

function isBlobGone({ outcome }: OutcomeRow): boolean {
  return outcome.type === 'rejected' && outcome.code === 'BLOB_GONE';
}

function digestsOf({ blobs, commits }: Content): string[] {
  const named = blobs.map((blob) => hash('sha256', JSON.stringify(blob), 'hex'));
  return [...named, ...commits.map(({ id }) => id)];
}
