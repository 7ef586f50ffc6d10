import { isAncestor, walkLater } from '#core/ancestry';
import type { CommitRow } from '#core/graph-row';
import { branchRef } from '#core/name';
import type { RedisAddress } from '#adapters/redis/redis-connection';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import type { GraphStore } from '#ports/graph-store';
import { project, type Projected } from '#projection/project';
import { log } from '#query/log';
import { mergeBase } from '#query/merge-base';
import { absent, type Aim, atMost, type Found } from './aim.js';
import { agents, LongHistory, repo } from './long-history.js';
import { type MemoryByKind, memoryByKind } from './redis-memory.js';
import { withRedis } from './own-redis.js';

const rounds = 1_000;
const pageCommits = 50;
const main = branchRef('main');
const aims = {
  bytes: 'graph and ids of a commit in Redis',
  ancestor: 'is-ancestor in a long history',
  page: `log page of ${pageCommits} in a long history`,
  base: `merge-base of ${agents} agent branches in a long history`,
};

/**
 * What does a long history cost in Redis, and how fast are questions about it? One line of commits with a layer each; in
 * its newest part agents fork, commit, and now and then are merged. A new process asks: what it has not seen it must
 * read. Takes how many commits.
 */
export async function benchGraph(given = '1000000'): Promise<Found> {
  const found = await withRedis((address) => measure(address, Number(given)));
  if (typeof found !== 'string') return found;
  return {
    aims: Object.values(aims).map((what) => absent(what, 'Redis', found)),
    text: `### A long history in Redis\n\nNot measured: ${found}`,
  };
}

async function measure(address: RedisAddress, commits: number): Promise<Found> {
  const history = new LongHistory(commits);
  const seconds = await fill(address, history);
  const memory = await memoryByKind(address);
  const graph = await openRedisGraphStore({ ...address, partitionCount: 1 });
  try {
    const times = await ask(graph, commits);
    const bytes = (kinds: readonly (keyof MemoryByKind)[]) =>
      kinds.reduce((sum, kind) => sum + memory[kind], 0) / commits;
    const found: Aim[] = [
      atMost(aims.bytes, bytes(['places', 'ids']), 160, 'B'),
      ...Object.entries(times).map(([what, all]) =>
        atMost(`${aims[what as keyof typeof times]}, p99`, percentile(all, 0.99), what === 'base' ? 30 : 10, 'ms'),
      ),
    ];
    const memoryRows = Object.entries(memory).map(([kind, all]) => `| ${kind} | ${(all / commits).toFixed(1)} |`);
    const timeRows = Object.entries(times).map(([what, all]) => {
      const cells = [0.5, 0.9, 0.99, 1].map((part) => percentile(all, part).toFixed(2));
      return `| ${aims[what as keyof typeof times]} | ${cells.join(' | ')} |`;
    });
    return {
      aims: found,
      text: [
        `### ${commits} commits in Redis`,
        '',
        `Filled in ${seconds.toFixed(0)} s, ${(commits / seconds).toFixed(0)} commits/s, many to a record. ${rounds} questions of each kind, one after the other.`,
        '',
        '| what a commit takes | B |',
        '| --- | --: |',
        ...memoryRows,
        '',
        '| question | p50 ms | p90 ms | p99 ms | worst ms |',
        '| --- | --: | --: | --: | --: |',
        ...timeRows,
      ].join('\n'),
    };
  } finally {
    await graph.close();
  }
}

async function fill(address: RedisAddress, history: LongHistory): Promise<number> {
  const graph = await openRedisGraphStore({ ...address, partitionCount: 1 });
  try {
    const start = performance.now();
    const generation = await graph.beginGeneration();
    let at: Projected = await generation.checkpoint(0);
    for (const records of history.records()) {
      const next = await project(generation, 0, at, records);
      if (!next) throw new Error('someone else writes to the graph that is filled');
      at = next;
    }
    await generation.promote();
    const row = await graph.repository(repo);
    if (row?.commits !== history.commits)
      throw new Error(`${row?.commits} commits were accepted of ${history.commits}`);
    return (performance.now() - start) / 1e3;
  } finally {
    await graph.close();
  }
}

async function ask(graph: GraphStore, commits: number) {
  const random = pseudoRandom(1);
  const at = async (seq: number) => (await graph.commitAt(repo, seq)) as CommitRow;
  const any = () => at(random(commits));
  const tipOf = async (name: string) => {
    const value = await graph.ref(repo, branchRef(name));
    return (await graph.commit(repo, value!.commit!)) as CommitRow;
  };
  const tip = (await graph.ref(repo, main))!.commit!;
  return {
    ancestor: await timesOf(async () => {
      const [a, b] = [await any(), await any()];
      return () => walkLater(isAncestor(a.seq < b.seq ? a : b, a.seq < b.seq ? b : a), at);
    }),
    page: await timesOf(async () => {
      const { id } = random(2) === 0 ? await any() : { id: tip };
      return () =>
        log({ graph, log: { id: 'lbench' } }, repo, { revision: id, firstParent: false, limit: pageCommits });
    }),
    base: await timesOf(async () => {
      const [a, b] = [
        await tipOf(`agent/${random(agents)}`),
        await tipOf(random(4) === 0 ? 'main' : `agent/${random(agents)}`),
      ];
      return () => mergeBase(graph, a, b);
    }),
  };
}

/** What each of so many questions took, ms, the quickest first. */
async function timesOf(question: () => Promise<() => Promise<unknown>>): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const asked = await question();
    const start = performance.now();
    await asked();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b);
}

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Numbers below a bound, the same in every run. */
function pseudoRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
