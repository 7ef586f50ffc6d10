import type { VarveError } from '#core/error';

/** How the graph stands to the log, as far as this process knows: asked before every request, so it only remembers. */
export interface Standing {
  /** Why nothing may be written; what the graph shows may be read. Undefined while all is well. */
  failure(): VarveError | undefined;
  /** Why nothing may be read either: the graph shows less than it has shown. Passes by itself. */
  behind(): VarveError | undefined;
}

/** Of several, the first that has something to say. */
export function standingOf(standings: readonly Standing[]): Standing {
  const first = (ask: (standing: Standing) => VarveError | undefined) => {
    for (const standing of standings) {
      const found = ask(standing);
      if (found) return found;
    }
    return undefined;
  };
  return {
    failure: () => first((standing) => standing.failure()),
    behind: () => first((standing) => standing.behind()),
  };
}
