import type { Logger } from 'pino';
import { isVarveError } from '#core/error';
import type { BlobStore } from '#ports/blob-store';

const sweepEveryMs = 3_600_000;

/**
 * Sweeps a store that processes share, once an hour: uploads that nobody has touched for its window, and what a crash
 * left of them. Any number of processes may do so. Ends with `opened`.
 */
export function keepSwept(blobs: BlobStore, logger: Logger, opened: AsyncDisposableStack): void {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(sweep);
  }, sweepEveryMs);
  opened.defer(async () => {
    clearInterval(timer);
    await running;
  });

  async function sweep(): Promise<void> {
    try {
      const swept = await blobs.sweepStaging();
      if (swept > 0) logger.info({ swept }, 'removed what other processes staged and never sealed');
    } catch (error) {
      // A store that is away is asked again in an hour; a fault of ours is no reason to end.
      if (!isVarveError(error, 'UNAVAILABLE')) logger.error({ err: error }, 'staged uploads could not be swept');
    }
  }
}
