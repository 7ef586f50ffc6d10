/**
 * Until somebody gives notice, so much time has passed, or the signal fires. Notices between processes may get lost, so
 * whoever waits looks for himself afterwards. `listen` returns what ends it, and never gives notice before it returns.
 */
export function nextNotice(
  listen: (notice: () => void) => () => void,
  waitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stopListening();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    const stopListening = listen(done);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}
