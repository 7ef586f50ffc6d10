import type { VarveError } from '#core/error';
import type { Health } from '#edge/health';

/** What a process of any role is to those who start it: it works from the moment it is opened. */
export interface RunningProcess {
  readonly health: Health;
  /** Settles, with the reason, when it cannot go on by itself; never if it can. */
  readonly failed: Promise<VarveError>;
  /** How many staged uploads of earlier processes were swept at the start. */
  readonly swept: number;
  /** Lets work in hand end and closes everything, the stores last. */
  close(): Promise<void>;
}

/** Injection token. */
export const RUNNING = Symbol('running process');
