import { VarveError } from '#core/error';
import type { OutcomeRow } from '#core/graph-row';
import { parseRepositoryName } from '#core/name';
import { cancelTransaction, lookUpTransaction, type TransactionName } from '#history/transaction';
import type { WriteContext } from '#history/write';
import { knownRepository } from '#query/known-repository';
import type { Engine } from '../engine.js';

/** A transaction as callers name it, with what the answer OUTCOME_UNKNOWN told of it. */
export interface AskedTransaction {
  readonly txid: string;
  readonly repo?: string | undefined;
  readonly gcEpoch?: number | undefined;
}

/** @throws NAME_INVALID, TRANSACTION_UNKNOWN, GC_EPOCH_STALE, OUTCOME_EXPIRED */
export function findTransaction({ graph }: Engine, asked: AskedTransaction): Promise<OutcomeRow> {
  return lookUpTransaction(graph, nameOf(asked));
}

/** @throws REQUEST_INVALID, NAME_INVALID, REPOSITORY_UNKNOWN, OUTCOME_EXPIRED; what writes throw */
export async function endTransaction(
  { graph, submitter }: Engine,
  asked: AskedTransaction & { readonly repo: string },
  context: WriteContext,
): Promise<OutcomeRow> {
  const repo = parseRepositoryName(asked.repo);
  if (!/^(?:[0-9a-f]{32}){1,2}$/.test(asked.txid)) {
    throw new VarveError('REQUEST_INVALID', `"${asked.txid}" is no transaction: those have 32 or 64 hex digits`);
  }
  await knownRepository(graph, repo);
  return cancelTransaction({ graph, submitter }, { ...nameOf(asked), repo }, context);
}

function nameOf({ txid, repo, gcEpoch }: AskedTransaction): TransactionName {
  return { txid, gcEpoch, ...(repo === undefined ? {} : { repo: parseRepositoryName(repo) }) };
}
