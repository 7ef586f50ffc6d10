import type { CommitId } from '#core/commit';
import { type RefValue, sameRefValue } from '#core/ref';

/** What a client asked of one ref and was told, with the instants of both. `unknown`: it may happen later, or never. */
export interface RefOperationSeen {
  readonly invoked: number;
  /** Infinity for `unknown`. */
  readonly returned: number;
  readonly call:
    | { readonly type: 'read' }
    | { readonly type: 'set'; readonly to: CommitId | null }
    /** Only if it is not there, whatever its version. */
    | { readonly type: 'create'; readonly to: CommitId }
    | { readonly type: 'swap'; readonly expect: RefValue; readonly to: CommitId | null };
  readonly answer:
    | { readonly type: 'ok'; readonly value: RefValue }
    /** A read that found nothing, and was told no version. */
    | { readonly type: 'absent' }
    | { readonly type: 'stale' }
    | { readonly type: 'unknown' };
}

/** The register; the version is null after a swap that nobody was told the version of. */
interface State {
  readonly commit: CommitId | null;
  readonly version: number | null;
}

/**
 * Whether there is an order of the operations, each at an instant between its call and its answer, in which a
 * compare-and-swap register gives the answers that were given. Wing and Gong's search with Lowe's memory of what was
 * tried: a set of done operations and the state they leave are looked at once.
 */
export function isLinearizable(history: readonly RefOperationSeen[], initial: RefValue): boolean {
  const operations = history.toSorted((a, b) => a.invoked - b.invoked);
  const mustHappen = operations.reduce((bits, { answer }, i) => (answer.type === 'unknown' ? bits : bits | bit(i)), 0n);
  const tried = new Set<string>();
  const open: { done: bigint; state: State }[] = [{ done: 0n, state: initial }];
  for (let at = open.pop(); at; at = open.pop()) {
    const { done, state } = at;
    if ((done & mustHappen) === mustHappen) return true;
    const key = `${done} ${state.commit} ${state.version}`;
    if (tried.has(key)) continue;
    tried.add(key);
    for (const [i, operation] of candidates(operations, done)) {
      const after = step(state, operation);
      if (after) open.push({ done: done | bit(i), state: after });
    }
  }
  return false;
}

/** What may come next: called before any other that is not done was answered. */
function candidates(operations: readonly RefOperationSeen[], done: bigint): [number, RefOperationSeen][] {
  const left = [...operations.entries()].filter(([i]) => (done & bit(i)) === 0n);
  const firstAnswer = left.reduce((first, [, { returned }]) => Math.min(first, returned), Number.POSITIVE_INFINITY);
  return left.filter(([, { invoked }]) => invoked <= firstAnswer);
}

/** The state after the operation; undefined when the answer is not what the register gives. */
function step(state: State, { call, answer }: RefOperationSeen): State | undefined {
  if (answer.type === 'absent') return state.commit === null ? state : undefined;
  if (call.type === 'read') {
    if (answer.type !== 'ok') return state;
    return matches(state, answer.value) ? answer.value : undefined;
  }
  const expect = call.type === 'swap' ? call.expect : state;
  const holds = call.type === 'swap' ? matches(state, call.expect) : call.type === 'set' || state.commit === null;
  if (answer.type === 'stale') return !holds || state.version === null ? state : undefined;
  if (!holds) return undefined;
  if (answer.type === 'unknown') return { commit: call.to, version: null };
  const grows = answer.value.version > (expect.version ?? 0);
  return grows && answer.value.commit === call.to ? answer.value : undefined;
}

function matches({ commit, version }: State, value: RefValue): boolean {
  return version === null ? commit === value.commit : sameRefValue({ commit, version }, value);
}

function bit(i: number): bigint {
  return 1n << BigInt(i);
}
