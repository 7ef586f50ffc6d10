/** SIGINT and SIGTERM as one signal to stop: the command removes what it had half made, and ends as interrupted. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** What a shell expects of a process that a signal ended: 128 and its number. */
  readonly exit: number | undefined;
}

/** A second signal ends the process at once, whatever is left over. */
export function watchInterruption(): Interruption {
  const controller = new AbortController();
  let exit: number | undefined;
  const stop = (code: number) => (): void => {
    if (exit !== undefined) process.exit(code);
    exit = code;
    controller.abort();
  };
  process.on('SIGINT', stop(130)).on('SIGTERM', stop(143));
  return {
    signal: controller.signal,
    get exit() {
      return exit;
    },
  };
}
