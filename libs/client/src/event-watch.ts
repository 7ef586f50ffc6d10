import { isVarveError, VarveError } from '#core/error';
import type { WatchedEvent } from './answer.js';
import { type Conversation, repoPath, withQuery } from './conversation.js';
import { delayMs, pause, type RetryPolicy } from './retry.js';

/** A server that is started again is waited for: about a minute. */
const reconnectPolicy: RetryPolicy = { attemptsMax: 40, firstDelayMs: 100, delayMaxMs: 2_000 };

/**
 * Every transaction of a repository with its outcome, in the order of the log: those after a position (`start`: all;
 * undefined: only new ones), then new ones. Goes on after the last one it has told where a connection is cut. It has no
 * end but the reader's.
 * @throws REPOSITORY_UNKNOWN, POSITION_UNKNOWN, OVERLOADED, CANCELLED; UNAVAILABLE when no server comes back
 */
export async function* watchEvents(
  conversation: Conversation,
  repo: string,
  { after }: { readonly after?: string | undefined },
): AsyncGenerator<WatchedEvent> {
  let from = after;
  let idleAttempts = 0;
  for (;;) {
    let broken: VarveError = new VarveError('UNAVAILABLE', 'the server has ended the watch');
    try {
      const path = withQuery(repoPath(repo, 'events'), { after: from });
      for await (const told of conversation.events<WatchedEvent | Begun>(path)) {
        idleAttempts = 0;
        from = told.position;
        if ('txid' in told) yield told;
      }
    } catch (error) {
      if (!isVarveError(error, 'UNAVAILABLE')) throw error;
      broken = error;
    }
    idleAttempts += 1;
    if (idleAttempts >= reconnectPolicy.attemptsMax) throw broken;
    const wait = { policy: reconnectPolicy, attempts: idleAttempts, error: broken };
    await pause(delayMs(wait), conversation.signal);
  }
}

/** The first of each connection: what follows happened after it. */
interface Begun {
  readonly position: string;
}
