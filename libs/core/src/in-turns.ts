/** Work in steps, of which each takes little time; what it returns is the result. */
export type Steps<T> = Generator<void, T, void>;

/** So long nobody else in the process has a turn. */
const turnMs = 4;

/** Does all steps now. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Does the steps with a turn for everybody else in between, when there are many. @throws what the steps throw */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (let since = performance.now(); ;) {
    const { done, value } = steps.next();
    if (done) return value;
    if (performance.now() - since < turnMs) continue;
    await new Promise<void>((resolve) => void setImmediate(resolve));
    since = performance.now();
  }
}
