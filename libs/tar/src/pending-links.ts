import { limit } from '#core/limit';
import { overLimit, type TarPlace } from './refusal.js';

/** A hardlink whose target is not there yet: its slot and its entry. */
export interface PendingLink {
  readonly slot: number;
  readonly entry: number;
}

/**
 * Binds links to what stands behind them, in rounds over all that are left, until a round binds none. A chain of n such
 * links, in the worst order, needs n rounds; so a round only looks at links that a bound slot can have changed, in the
 * order and with the result of looking at all of them.
 *
 * `bind` tries one: null when it is bound, else the pending slots its lookup met, which alone can change the answer.
 * Returns the first link that stays without a target.
 * @see union/SPEC 4.2 step 2f
 */
export function bindPending(
  pending: readonly PendingLink[],
  bind: (link: PendingLink) => readonly number[] | null,
  placeOf: (entry: number) => TarPlace,
): PendingLink | undefined {
  const waiting = new Map<number, number[]>();
  const isBound = new Uint8Array(pending.length);
  /** The round and the link, as one number that orders them. */
  const queue = new MinHeap(Array.from(pending, (_, link) => link));
  const queued = new Uint8Array(pending.length).fill(1);
  let triesLeft = limit.walkStepsMax;
  for (let due = queue.pop(); due !== undefined; due = queue.pop()) {
    const link = due % pending.length;
    const round = Math.floor(due / pending.length);
    queued[link] = 0;
    if (--triesLeft < 0) throw tooManyTries(placeOf(pending[link]!.entry));
    const met = bind(pending[link]!);
    if (met !== null) {
      for (const slot of met) waitFor(waiting, slot, link);
      continue;
    }
    isBound[link] = 1;
    const { slot } = pending[link]!;
    for (const waiter of waiting.get(slot) ?? []) {
      if (isBound[waiter] || queued[waiter]) continue;
      queued[waiter] = 1;
      // One that this round has passed is looked at in the next.
      queue.push((waiter > link ? round : round + 1) * pending.length + waiter);
    }
    waiting.delete(slot);
  }
  return pending[isBound.indexOf(0)];
}

function waitFor(waiting: Map<number, number[]>, slot: number, link: number): void {
  const links = waiting.get(slot);
  if (links) links.push(link);
  else waiting.set(slot, [link]);
}

function tooManyTries(place: TarPlace): Error {
  return overLimit(place, 'too-many-link-steps', 'the hardlinks of the layer depend on each other too often');
}

/** Numbers, the smallest first. */
class MinHeap {
  readonly #numbers: number[];

  /** `ascending` is a heap as it is. */
  constructor(ascending: number[]) {
    this.#numbers = ascending;
  }

  push(number: number): void {
    const heap = this.#numbers;
    let at = heap.push(number) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]! <= number) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = number;
  }

  pop(): number | undefined {
    const heap = this.#numbers;
    const smallest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return smallest;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return smallest;
  }
}
