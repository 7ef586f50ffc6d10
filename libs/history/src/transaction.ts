import { VarveError } from '#core/error';
import type { OutcomeRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import type { Submitter } from './submitter.js';
import type { WriteContext } from './write.js';

/** The outcome of a transaction, whoever proposed it. @throws TRANSACTION_UNKNOWN while it has none */
export async function lookUpTransaction(graph: GraphReader, txid: string): Promise<OutcomeRow> {
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    const row = await graph.outcome(partition, txid);
    if (row) return row;
  }
  throw new VarveError('TRANSACTION_UNKNOWN', `transaction ${txid} has no outcome`, { txid });
}

/**
 * Ends not knowing: afterwards the transaction has an outcome, the one it got or TRANSACTION_CANCELLED, and no copy of it
 * that is still on its way takes effect. @see event-log 1.6 rule 8
 */
export async function cancelTransaction(
  { graph, submitter }: { readonly graph: GraphReader; readonly submitter: Submitter },
  { repo, txid }: { readonly repo: RepositoryName; readonly txid: string },
  context: WriteContext,
): Promise<OutcomeRow> {
  await submitter.cancel(repo, txid, context);
  return lookUpTransaction(graph, txid);
}
