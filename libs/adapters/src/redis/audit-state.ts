import type { Redis } from 'ioredis';
import { assert } from '#core/error';
import type { AuditTreeSize } from '#ports/audit-store';
import { appendScript, publishScript, restoreScript, sealScript } from './audit-scripts.js';

export type Arguments = (string | number | Buffer)[];

interface AuditScripts {
  varveAuditAppend(...args: Arguments): Promise<number>;
  varveAuditSeal(...args: Arguments): Promise<number>;
  varveAuditPublish(...args: Arguments): Promise<number>;
  varveAuditRestore(...args: Arguments): Promise<number>;
}

/** A connection that knows the scripts. */
export type AuditClient = Redis & AuditScripts;

export function defineAuditScripts(client: Redis): AuditClient {
  client.defineCommand('varveAuditAppend', { lua: appendScript, numberOfKeys: 4 });
  client.defineCommand('varveAuditSeal', { lua: sealScript, numberOfKeys: 4 });
  client.defineCommand('varveAuditPublish', { lua: publishScript, numberOfKeys: 4 });
  client.defineCommand('varveAuditRestore', { lua: restoreScript, numberOfKeys: 4 });
  return client as AuditClient;
}

/** Where a tree is. */
export interface AuditTreeState extends AuditTreeSize {
  /** Pieces that Redis has let go of. */
  readonly rowPieces: number;
  readonly pathPieces: number;
  /** How often it was published, and the last checkpoint. */
  readonly number: number;
  readonly note: string | undefined;
  /** Another one when the tree was made anew, or put back. '' before the first entry. */
  readonly life: string;
}

/** The fields of it, in the order that `stateOf` takes. */
export const stateFields = ['entries', 'moves', 'rows', 'paths', 'number', 'note', 'life'] as const;

/** From the fields in the order in which they are asked for. */
export function stateOf(held: readonly (string | null | undefined)[]): AuditTreeState {
  const [entries, moves, rowPieces, pathPieces, number] = held.slice(0, 5).map((text) => Number(text ?? 0)) as [number, number, number, number, number]; // prettier-ignore
  const counts = { entries, moves, rowPieces, pathPieces, number };
  for (const [name, count] of Object.entries(counts)) assert(Number.isSafeInteger(count), `${name} is a count`);
  return { ...counts, note: held[5] ?? undefined, life: held[6] ?? '' };
}
