import { VarveError } from '#core/error';
import { oldestEpoch, type OutcomeRow, type PartitionRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { GraphReader } from '#ports/graph-store';
import { expiredOutcome, staleEpoch } from './refusal.js';
import type { Submitter } from './submitter.js';
import type { WriteContext } from './write.js';

/** A transaction, and what the answer that its outcome is unknown told of it. */
export interface TransactionName {
  readonly txid: string;
  readonly repo?: RepositoryName | undefined;
  /** The last fence its writer had seen: says whether a missing outcome is still to come. */
  readonly gcEpoch?: number | undefined;
}

/**
 * The outcome of a transaction, whoever proposed it.
 * @throws TRANSACTION_UNKNOWN while it has none; with its epoch also GC_EPOCH_STALE when it can never get one, and
 * OUTCOME_EXPIRED when the one that it may have had is forgotten
 */
export async function lookUpTransaction(graph: GraphReader, name: TransactionName): Promise<OutcomeRow> {
  const { txid, repo, gcEpoch } = name;
  const passed: PartitionRow[] = [];
  for (const partition of partitionsFor(graph, repo)) {
    const { checkpoint, row } = await graph.outcomeAt(partition, txid);
    if (row) return row;
    passed.push(checkpoint.partition);
  }
  const behind = passed.reduce((least, row) => (row.gcEpoch < least.gcEpoch ? row : least));
  if (gcEpoch !== undefined && oldestEpoch(behind) > gcEpoch) throw expiredOutcome({ txid, gcEpoch }, behind);
  if (gcEpoch !== undefined && behind.gcEpoch - 1 > gcEpoch) throw staleEpoch({ txid, gcEpoch }, behind.gcEpoch);
  throw new VarveError('TRANSACTION_UNKNOWN', `transaction ${txid} has no outcome`, { txid });
}

function partitionsFor({ partitionCount }: GraphReader, repo: RepositoryName | undefined): readonly number[] {
  return repo === undefined
    ? Array.from({ length: partitionCount }, (_, partition) => partition)
    : [partitionOf(repo, partitionCount)];
}

/**
 * Ends not knowing: afterwards the transaction has an outcome, the one it got or TRANSACTION_CANCELLED, and no copy of it
 * that is still on its way takes effect. @see event-log 1.6 rule 8
 * @throws OUTCOME_EXPIRED when it is so old that it may have had an outcome which is forgotten; what `submit` throws
 */
export async function cancelTransaction(
  { graph, submitter }: { readonly graph: GraphReader; readonly submitter: Submitter },
  name: TransactionName & { readonly repo: RepositoryName },
  context: WriteContext,
): Promise<OutcomeRow> {
  // Who does not know when it was made may have made it at any time.
  await submitter.cancel(name.repo, { txid: name.txid, gcEpoch: name.gcEpoch ?? 0 }, context);
  return lookUpTransaction(graph, name);
}
