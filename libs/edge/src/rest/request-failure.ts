import type { IncomingMessage } from 'node:http';
import type { VarveError } from '#core/error';

/** Why requests failed, for the line that the log gets when one is over; also when no answer could tell it any more. */
const failures = new WeakMap<IncomingMessage, VarveError>();

export function noteFailure(request: IncomingMessage, error: VarveError): void {
  failures.set(request, error);
}

export function failureOf(request: IncomingMessage): VarveError | undefined {
  return failures.get(request);
}
