import { VarveError } from '#core/error';

/** Between two steps of a run. @throws CANCELLED */
export function checkWanted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new VarveError('CANCELLED', 'the collection was ended; run it again');
}
