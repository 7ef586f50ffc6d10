import { Frontier, isAncestor, logWalk, mergeBases, nthFirstParent, walkLater, walkNow } from './ancestry.js';
import type { CommitId } from './commit.js';
import { emptyChainId } from './digest.js';
import type { CommitRow } from './graph-row.js';
import { parseRepositoryName } from './name.js';

const repo = parseRepositoryName('dag');

/** Commits by the seqs of their parents; jumps as the fold makes them, checked against it in test/simulation. */
function dag(parentsOf: readonly (readonly number[])[]): CommitRow[] {
  const rows: CommitRow[] = [];
  for (const [seq, parents] of parentsOf.entries()) {
    const first = parents[0] === undefined ? undefined : rows[parents[0]];
    rows.push({
      repo,
      id: `${seq}` as CommitId,
      seq,
      parents,
      depth: first ? first.depth + 1 : 0,
      jump: first ? jumpOver(rows, first) : seq,
      stackLayers: 0,
      chainId: emptyChainId,
      ownBytes: 0,
      virtualBytes: 0,
      offset: 0,
    });
  }
  return rows;
}

function jumpOver(rows: readonly CommitRow[], parent: CommitRow): number {
  const near = rows[parent.jump] as CommitRow;
  const far = rows[near.jump] as CommitRow;
  return parent.depth - near.depth === near.depth - far.depth ? far.seq : parent.seq;
}

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomDag(seed: number, size: number): CommitRow[] {
  const pick = random(seed);
  return dag(
    Array.from({ length: size }, (_, seq) => {
      const count = seq === 0 ? 0 : pick(10) === 0 ? 0 : pick(3) === 0 ? 2 : 1;
      return [...new Set(Array.from({ length: count }, () => Math.max(0, seq - 1 - pick(6))))];
    }),
  );
}

/** By the definition, for small ones. */
function ancestorsOf(rows: readonly CommitRow[], seq: number): Set<number> {
  const found = new Set([seq]);
  for (const each of found) for (const parent of rows[each]?.parents ?? []) found.add(parent);
  return found;
}

const at = (rows: readonly CommitRow[], seq: number) => rows[seq] as CommitRow;
const lookUp = (rows: readonly CommitRow[]) => (seq: number) => at(rows, seq);

describe('walks over the DAG', () => {
  const seeds = Array.from({ length: 60 }, (_, seed) => seed);

  it.each(seeds)('agree with the definitions on random DAG %i', (seed) => {
    const rows = randomDag(seed, 40);
    const ancestors = rows.map(({ seq }) => ancestorsOf(rows, seq));
    const wrong = rows.flatMap((a) =>
      rows.filter((b) => {
        const expected = ancestors[b.seq]?.has(a.seq) ? 'yes' : 'no';
        const common = [...(ancestors[a.seq] as Set<number>)].filter((seq) => ancestors[b.seq]?.has(seq));
        const best = common.filter((seq) => !common.some((other) => other !== seq && ancestors[other]?.has(seq)));
        const found = walkNow(mergeBases(a, b), lookUp(rows));
        return (
          walkNow(isAncestor(a, b), lookUp(rows)) !== expected ||
          found?.join() !== best.toSorted((x, y) => y - x).join()
        );
      }),
    );
    expect(wrong).toEqual([]);
  });

  it.each(seeds.slice(0, 20))('find every first-parent ancestor in random DAG %i', (seed) => {
    const rows = randomDag(seed, 60);
    for (const row of rows) {
      let expected: CommitRow | undefined = row;
      for (let n = 0; n <= row.depth + 1; n += 1) {
        expect(walkNow(nthFirstParent(row, n), lookUp(rows))).toEqual(expected);
        expected = expected?.parents[0] === undefined ? undefined : at(rows, expected.parents[0]);
      }
    }
  });

  it('take O(log n) lookups along a chain of a hundred thousand', () => {
    const rows = dag(Array.from({ length: 100_000 }, (_, seq) => (seq === 0 ? [] : [seq - 1])));
    const tip = at(rows, 99_999);
    let lookups = 0;
    const counting = (seq: number) => ((lookups += 1), at(rows, seq));
    for (const n of [1, 2, 999, 50_000, 99_998, 99_999]) {
      expect(walkNow(nthFirstParent(tip, n), counting)?.seq).toBe(99_999 - n);
      expect(walkNow(isAncestor(at(rows, 99_999 - n), tip), counting)).toBe('yes');
    }
    expect(lookups).toBeLessThan(6 * 2 * 3 * 17);
  });

  it('end after their steps: then ancestry is unproven and there are no merge bases', () => {
    // Two roots, then two chains side by side.
    const rows = dag(Array.from({ length: 1_000 }, (_, seq) => (seq < 2 ? [] : [seq - 2])));
    expect(walkNow(isAncestor(at(rows, 1), at(rows, 998), 100), lookUp(rows))).toBe('unproven');
    expect(walkNow(isAncestor(at(rows, 1), at(rows, 998)), lookUp(rows))).toBe('no');
    expect(walkNow(mergeBases(at(rows, 998), at(rows, 999), 100), lookUp(rows))).toBeUndefined();
    expect(walkNow(mergeBases(at(rows, 998), at(rows, 999)), lookUp(rows))).toEqual([]);
  });

  it('are the same where lookups take time', async () => {
    const rows = randomDag(7, 40);
    const slow = async (seq: number) => at(rows, seq);
    const [a, b] = [at(rows, 38), at(rows, 39)];
    expect(await walkLater(mergeBases(a, b), slow)).toEqual(walkNow(mergeBases(a, b), lookUp(rows)));
  });
});

describe('the log', () => {
  const rows = dag([[], [0], [0], [1], [2], [3, 4]]);
  const later = async (seq: number) => at(rows, seq);
  const seqsOf = async (frontier: Frontier, count: number, follow?: 'first-parent') => {
    const seqs: number[] = [];
    for await (const row of logWalk(later, frontier, follow)) if (seqs.push(row.seq) === count) break;
    return seqs;
  };

  it('shows every commit once, children before parents', async () => {
    expect(await seqsOf(new Frontier([5]), 99)).toEqual([5, 4, 3, 2, 1, 0]);
    expect(await seqsOf(new Frontier([3, 4, 3]), 99)).toEqual([4, 3, 2, 1, 0]);
    expect(await seqsOf(new Frontier([]), 99)).toEqual([]);
  });

  it('follows first parents alone', async () => {
    expect(await seqsOf(new Frontier([5]), 99, 'first-parent')).toEqual([5, 3, 1, 0]);
  });

  it('goes on from the frontier of a page', async () => {
    const whole = await seqsOf(new Frontier([5]), 99);
    for (let page = 1; page < whole.length; page += 1) {
      const frontier = new Frontier([5]);
      const first = await seqsOf(frontier, page);
      expect([...first, ...(await seqsOf(new Frontier(frontier.seqs()), 99))]).toEqual(whole);
    }
  });

  it('has a frontier of one number on a chain', async () => {
    const chain = dag([[], [0], [1], [2]]);
    const frontier = new Frontier([3]);
    for await (const row of logWalk(async (seq) => at(chain, seq), frontier)) if (row.seq === 2) break;
    expect(frontier.seqs()).toEqual([1]);
  });
});
