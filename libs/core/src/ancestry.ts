import type { CommitRow } from './graph-row.js';
import { limit } from './limit.js';

/**
 * Questions about the DAG of one repository, over lookups by seq. Parents have smaller seqs than children, so seq is a
 * topological order and a walk by falling seq sees every child before its parents.
 *
 * A question is a walk: it yields the seq it wants to see next and is given that row. So one text answers both the
 * fold, which looks up at once, and the queries, which wait.
 */
export type Walk<Answer> = Generator<number, Answer, CommitRow>;

/** Runs a walk where lookups answer at once. */
export function walkNow<Answer>(walk: Walk<Answer>, commitAt: (seq: number) => CommitRow): Answer {
  let step = walk.next();
  while (!step.done) step = walk.next(commitAt(step.value));
  return step.value;
}

/** Runs a walk where lookups take time. */
export async function walkLater<Answer>(
  walk: Walk<Answer>,
  commitAt: (seq: number) => Promise<CommitRow>,
): Promise<Answer> {
  let step = walk.next();
  while (!step.done) step = walk.next(await commitAt(step.value));
  return step.value;
}

/** `unproven`: the answer needs more steps than allowed. */
export type Ancestry = 'yes' | 'no' | 'unproven';

/**
 * Whether `ancestor` can be reached from `descendant`; a commit is an ancestor of itself. Takes O(log n) lookups when
 * it lies on the first-parent chain, else walks what is newer than the ancestor, at most `stepsMax` commits.
 */
export function* isAncestor(
  ancestor: CommitRow,
  descendant: CommitRow,
  stepsMax: number = limit.ancestryStepsMax,
): Walk<Ancestry> {
  if (ancestor.seq === descendant.seq) return 'yes';
  if (ancestor.seq > descendant.seq) return 'no';
  if (ancestor.depth < descendant.depth) {
    const onChain = yield* nthFirstParent(descendant, descendant.depth - ancestor.depth);
    if (onChain?.seq === ancestor.seq) return 'yes';
  }
  const frontier = new Frontier(descendant.parents);
  for (let steps = 0; ; steps += 1) {
    const seq = frontier.pop();
    if (seq === undefined || seq < ancestor.seq) return 'no';
    if (seq === ancestor.seq) return 'yes';
    if (steps === stepsMax) return 'unproven';
    frontier.push((yield seq).parents);
  }
}

/** The commit that is `n` first parents back, undefined when the chain is shorter; O(log n) lookups. */
export function* nthFirstParent(commit: CommitRow, n: number): Walk<CommitRow | undefined> {
  const depth = commit.depth - n;
  if (depth < 0) return undefined;
  let at = commit;
  while (at.depth > depth) {
    const jumped: CommitRow = yield at.jump;
    at = jumped.depth >= depth ? jumped : yield at.parents[0] as number;
  }
  return at;
}

/**
 * The seqs of the best common ancestors, newest first: common ones that no other common one descends from. Undefined
 * when it takes more than `stepsMax` commits. The walk is git's paint-down-to-common; in a topological order one
 * pass is exact.
 */
export function* mergeBases(
  a: CommitRow,
  b: CommitRow,
  stepsMax: number = limit.ancestryStepsMax,
): Walk<number[] | undefined> {
  const fromA = 1;
  const fromB = 2;
  const common = 4;
  const paint = new Map<number, number>();
  const frontier = new Frontier([]);
  let undecided = 0;
  const spread = (seq: number, colour: number) => {
    const old = paint.get(seq);
    const painted = (old ?? 0) | colour;
    if (old === undefined) frontier.push([seq]);
    if (old !== undefined && (old & common) === 0) undecided -= 1;
    if ((painted & common) === 0) undecided += 1;
    paint.set(seq, painted);
  };
  spread(a.seq, fromA);
  spread(b.seq, fromB);

  const bases: number[] = [];
  for (let steps = 0; undecided > 0; steps += 1) {
    if (steps > stepsMax) return undefined;
    const seq = frontier.pop() as number;
    let colour = paint.get(seq) as number;
    paint.delete(seq);
    if ((colour & common) === 0) {
      undecided -= 1;
      if (colour === (fromA | fromB)) {
        bases.push(seq);
        colour |= common;
      }
    }
    for (const parent of (yield seq).parents) spread(parent, colour);
  }
  return bases;
}

/**
 * What a walk from some commits has still to show, newest first. `seqs()` is the whole of its state, so it is the
 * cursor of a page: on a linear history one number.
 */
export class Frontier {
  /** A binary heap, the greatest seq first; may hold a seq more than once. */
  readonly #heap: number[] = [];
  #last = Number.POSITIVE_INFINITY;

  constructor(seqs: readonly number[]) {
    this.push(seqs);
  }

  push(seqs: readonly number[]): void {
    for (const seq of seqs) this.#up(seq);
  }

  /** The next seq, each once; undefined at the end. */
  pop(): number | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      this.#down();
      // Equal ones come out in a row, because a child is always popped before it pushes its parents.
      if (top !== this.#last) {
        this.#last = top;
        return top;
      }
    }
  }

  /** What `pop` will give, left where it is. */
  peek(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0] === this.#last) this.#down();
    return this.#heap[0];
  }

  seqs(): number[] {
    return [...new Set(this.#heap)].filter((seq) => seq !== this.#last).toSorted((a, b) => b - a);
  }

  #up(seq: number): void {
    const heap = this.#heap;
    let at = heap.push(seq) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as number) >= seq) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = seq;
  }

  #down(): void {
    const heap = this.#heap;
    const seq = heap.pop() as number;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as number) > (heap[child] as number)) child += 1;
      if ((heap[child] as number) <= seq) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = seq;
  }
}

/**
 * Commits in topological order, newest first, from `frontier` on; it is moved along, so that after any row it says
 * where to go on. With `firstParent`, only the chain of first parents.
 */
export async function* logWalk(
  commitAt: (seq: number) => Promise<CommitRow>,
  frontier: Frontier,
  follow: 'all' | 'first-parent' = 'all',
): AsyncGenerator<CommitRow> {
  for (;;) {
    const seq = frontier.pop();
    if (seq === undefined) return;
    const commit = await commitAt(seq);
    frontier.push(follow === 'all' ? commit.parents : commit.parents.slice(0, 1));
    yield commit;
  }
}

/**
 * Commits in topological order, newest first, from `frontier` on, without those that `hidden` reaches; both are moved
 * along. Looks at what is hidden only as far down as the walk has come.
 */
export async function* rangeWalk(
  commitAt: (seq: number) => Promise<CommitRow>,
  { frontier, hidden }: { readonly frontier: Frontier; readonly hidden: Frontier },
  follow: 'all' | 'first-parent' = 'all',
): AsyncGenerator<CommitRow> {
  for (let seq = frontier.pop(); seq !== undefined; seq = frontier.pop()) {
    while ((hidden.peek() ?? -1) > seq) hidden.push((await commitAt(hidden.pop()!)).parents);
    // It stays in `hidden`, because what it descends from is hidden too.
    if (hidden.peek() === seq) continue;
    const commit = await commitAt(seq);
    frontier.push(follow === 'all' ? commit.parents : commit.parents.slice(0, 1));
    yield commit;
  }
}
