/** Wakes those who follow a log of this process. */
export class AppendSignal {
  #waiting: PromiseWithResolvers<void> | undefined;

  wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Settles at the next `wake` or when the signal aborts. Ask before looking for records, or one may be missed. */
  async next(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#waiting ??= Promise.withResolvers();
    const { promise } = this.#waiting;
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
