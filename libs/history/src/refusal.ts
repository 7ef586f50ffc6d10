import { VarveError } from '#core/error';
import type { Proposal, TransactionCancel } from '#core/event';
import type { PartitionRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import { formatRefValue, type RefUpdate, type RefValue } from '#core/ref';
import type { WriteContext } from './write.js';

/** REF_STALE, as the fold would say it. */
export function staleRef(
  repo: RepositoryName,
  { ref, expect }: Pick<RefUpdate, 'ref' | 'expect'>,
  actual: RefValue,
): VarveError {
  const message = `${ref} is at ${formatRefValue(actual)}; the update expects ${formatRefValue(expect)}`;
  return new VarveError('REF_STALE', message, { repository: repo, ref, expected: expect, actual });
}

/** @throws LIMIT_EXCEEDED */
export function checkContext({ reason, idempotencyKey }: WriteContext): void {
  checkText('reason', reason, limit.commitTextBytesMax);
  checkText('idempotency key', idempotencyKey ?? '', limit.idempotencyKeyBytesMax);
}

function checkText(name: string, text: string, limitBytes: number): void {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= limitBytes) return;
  throw new VarveError('LIMIT_EXCEEDED', `a ${name} of ${sizeBytes} bytes is over the limit of ${limitBytes}`, {
    sizeBytes,
    limitBytes,
  });
}

/** Before it is appended: a log would refuse the record too. @throws LIMIT_EXCEEDED */
export function checkSize({ length: sizeBytes }: Uint8Array): void {
  const limitBytes = limit.recordBytesMax;
  if (sizeBytes <= limitBytes) return;
  const message = `the write takes a record of ${sizeBytes} bytes, over the limit of ${limitBytes}`;
  throw new VarveError('LIMIT_EXCEEDED', message, { sizeBytes, limitBytes });
}

/** OUTCOME_UNKNOWN when time is up, CANCELLED when the caller left: in both the write may still take effect. */
export function unknownOutcome(event: Proposal | TransactionCancel, signal: AbortSignal | undefined): VarveError {
  // Who ends a transaction knows that one, and asks for it again.
  const isCancel = event.type === 'tx.cancel.v1';
  const { txid, gcEpoch } = isCancel ? { txid: event.target, gcEpoch: event.targetEpoch } : event;
  const detail = { txid, repository: event.repo, gcEpoch };
  if (signal?.aborted) {
    return new VarveError(
      'CANCELLED',
      `the caller left before transaction ${txid} had an outcome; it may still get one`,
      detail,
    );
  }
  const message = `transaction ${txid} has no outcome yet; it may still take effect. Ask for it, or send the same request again`;
  return new VarveError('OUTCOME_UNKNOWN', message, detail);
}

/** OUTCOME_EXPIRED: the outcome of a record that was made at its fence, if it was judged, is forgotten. */
export function expiredOutcome(
  { txid, gcEpoch }: Pick<Proposal, 'txid' | 'gcEpoch'>,
  { gcEpoch: current }: PartitionRow,
): VarveError {
  const message = `transaction ${txid} was made at fence ${gcEpoch}, and what became of it is forgotten by now, at fence ${current}: look at the ref, or in the audit log`;
  return new VarveError('OUTCOME_EXPIRED', message, { txid, gcEpoch, current });
}

/** GC_EPOCH_STALE: the fences have passed the record, so no copy of it takes effect any more. */
export function staleEpoch({ txid, gcEpoch }: Pick<Proposal, 'txid' | 'gcEpoch'>, current: number): VarveError {
  const message = `transaction ${txid} was made at fence ${gcEpoch} and fence ${current} has passed: it never takes effect. Send it again, with its bytes`;
  return new VarveError('GC_EPOCH_STALE', message, { txid, gcEpoch, current });
}
