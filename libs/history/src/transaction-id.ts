import { hash } from 'node:crypto';
import type { RepositoryName } from '#core/name';

/**
 * The transaction that a write with an idempotency key is, the same on every instance and for ever. `step` tells apart
 * the transactions of a write that takes several; the one that counts has none. @see event-log 1.4
 */
export function transactionOf(repo: RepositoryName, idempotencyKey: string, step?: string): string {
  return hashOf('varve-tx', repo, idempotencyKey, ...(step === undefined ? [] : [step]));
}

/** The transaction that brings some of what `txid` needs: named by what it brings, so that a retry brings it once. */
export function partOf(txid: string, content: readonly string[]): string {
  return hashOf('varve-tx-part', txid, ...content);
}

/** The n-th try of a transaction, from 1 on: what it was itself was refused for blobs that had been collected. @see event-log 1.6 rule 1 */
export function tryOf(txid: string, n: number): string {
  return hashOf('varve-tx-try', txid, String(n));
}

/** Every text with its length before it, so that no two lists of texts hash alike. */
function hashOf(...texts: readonly string[]): string {
  const parts = texts.flatMap((text) => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return hash('sha256', Buffer.concat(parts), 'hex');
}
