import type { Server } from 'node:http';
import type { Logger } from 'pino';

export interface Stoppable {
  readonly server: Server;
  readonly logger: Logger;
  readonly shutdownMs: number;
  /** Stops listening; settles when the last request is over. */
  stopAnswering(): Promise<void>;
  /** Closes the stores. */
  closeStores(): Promise<void>;
}

/**
 * Ends the process on SIGTERM or SIGINT: no new connections, work in flight finishes or, after `shutdownMs`, has its
 * connections cut, which discards what it had staged; then the stores are closed. A second signal ends at once: the
 * stores keep what they acknowledged, as after any crash. What is returned does the same for a reason of its own.
 */
export function endOnSignal(process: NodeJS.Process, stoppable: Stoppable): (exitCode: number) => void {
  let ending = false;
  const end = (exitCode: number, signal?: NodeJS.Signals) => {
    if (ending) return;
    ending = true;
    void shutDown(stoppable, signal).then(
      () => process.exit(exitCode),
      (error: unknown) => {
        stoppable.logger.error({ err: error }, 'the stores could not be closed');
        process.exit(1);
      },
    );
  };
  const endFor = (signal: NodeJS.Signals) => {
    if (ending) process.exit(exitAfter[signal as keyof typeof exitAfter]);
    end(0, signal);
  };
  process.on('SIGTERM', endFor).on('SIGINT', endFor);
  return end;
}

const exitAfter = { SIGINT: 130, SIGTERM: 143 };

async function shutDown(stoppable: Stoppable, signal: string | undefined): Promise<void> {
  const { server, logger, shutdownMs } = stoppable;
  logger.info({ signal }, 'stopping: no new requests, work in flight may finish');
  const cut = setTimeout(() => {
    logger.warn({ duration_ms: shutdownMs }, 'cutting the connections of work that has not finished');
    server.closeAllConnections();
  }, shutdownMs);
  await stoppable.stopAnswering();
  clearTimeout(cut);
  await stoppable.closeStores();
  logger.info('stopped');
}
