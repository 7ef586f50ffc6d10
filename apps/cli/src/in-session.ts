import type { Command } from 'commander';
import { VarveError } from '#core/error';
import type { Session } from './session.js';

/** What a command does once its session is open. `args` are as commander read them, undefined where left out. */
export type Work<O> = (session: Session, options: O, args: readonly (string | undefined)[]) => Promise<void>;

/** Makes commander's action of a command's work. */
export type Run = <O extends object>(work: Work<O>) => (...passed: unknown[]) => Promise<void>;

/**
 * Sessions that `signal` stops; each is closed when its work is over, so that the process can end. The client is loaded
 * only now: help and usage errors need none.
 */
export function inSession(signal: AbortSignal): Run {
  return (work) =>
    async (...passed) => {
      const command = passed.at(-1) as Command;
      refusePast(command);
      const { Session } = await import('./session.js');
      const session = new Session(command.optsWithGlobals(), signal);
      try {
        await work(session, command.opts(), command.processedArgs as (string | undefined)[]);
        await session.output.flush();
      } finally {
        await session.output.end();
        session.close();
      }
    };
}

/** What is about the server and not about histories: an answer of now would look like one of then. */
const withoutPast: ReadonlySet<string> = new Set(
  'status,fsck,watch,jobs,transaction,eventlog,gc,rebuild,audit checkpoint,audit key,audit check,audit verify'.split(
    ',',
  ),
);

/** @throws REQUEST_INVALID */
function refusePast(command: Command): void {
  const { at } = command.optsWithGlobals<{ readonly at?: string }>();
  if (at === undefined) return;
  const path = pathOf(command);
  const [first = ''] = path;
  if (!withoutPast.has(first) && !withoutPast.has(path.slice(0, 2).join(' '))) return;
  throw new VarveError('REQUEST_INVALID', `varve ${path.join(' ')} tells of now: it has no --at`, { at });
}

/** `['audit', 'key']` */
function pathOf(command: Command): readonly string[] {
  return command.parent ? [...pathOf(command.parent), command.name()] : [];
}
