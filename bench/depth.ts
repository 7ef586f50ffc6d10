import { join } from 'node:path';
import type { RefName } from '#core/name';
import type { Engine } from '#edge/engine';
import { writeRootfs } from '#materialize/write-rootfs';
import { layerStackOf } from '#ports/read-stack';
import { diff } from '#query/diff';
import { listTree } from '#query/ls';
import { readFile } from '#query/cat';
import { planRootfs } from '#union/rootfs-plan';
import type { Aim, Found } from './aim.js';
import { commitSynthetic, inScratch, makeRepository, repo, withEngine } from './history.js';
import { pathOf } from './layer-stream.js';

/** Files in the lowest layer; each commit above replaces one file of the first 256 by one of 1 KiB. */
const files = 20_000;
const replaced = 256;
const shallow = 10;
const rounds = 5;
/** How often each history is opened anew. */
const processes = 5;

/**
 * Does depth cost anything? Two histories of one tree: the one has 10 layers, the other thousands. Takes the depth. Cold
 * is a new opening of the stores, with the files still in the page cache.
 */
export async function benchDepth(given = '10000'): Promise<Found> {
  const deep = Number(given);
  return inScratch(async (scratch) => {
    const [low, high] = [join(scratch, 'low'), join(scratch, 'high')];
    await grow(low, shallow);
    await grow(high, deep);
    // In turns, so that what else the machine does disturbs both alike.
    const both = [low, high].map((data): Costs => ({ data, found: new Map() }));
    for (let round = 0; round < processes; round++) for (const one of both) await ask(one);
    for (const one of both) await commitMore(one);
    const [lowCosts, highCosts] = both.map(({ found }) => found) as [Costs['found'], Costs['found']];
    const aims = [...lowCosts].map(([what, times]) =>
      sameCost(what, { lowMs: median(times), highMs: median(highCosts.get(what)!), deep }),
    );
    const rows = aims.map(({ what, measured }) => `| ${what} | ${measured} |`);
    return { aims, text: [`### Depth ${deep} beside depth ${shallow}, ${files} files`, '', '| what | ratio |', '| --- | --: |', ...rows].join('\n') }; // prettier-ignore
  });
}

function sameCost(what: string, { lowMs, highMs, deep }: { lowMs: number; highMs: number; deep: number }): Aim {
  const ratio = highMs / lowMs;
  const measured = `${ratio.toFixed(2)} × (${highMs.toFixed(2)} ms / ${lowMs.toFixed(2)} ms)`;
  return { what: `${what} at depth ${deep}`, aim: `≤ 1.3 × depth ${shallow}`, measured, met: ratio <= 1.3 };
}

/** Makes the history. */
async function grow(data: string, depth: number): Promise<void> {
  await withEngine(data, async (engine) => {
    await makeRepository(engine);
    await commitSynthetic(engine, { first: 0, files, bodyBytes: 1024 });
    for (let layer = 1; layer < depth; layer++) {
      await commitSynthetic(engine, { first: layer % replaced, files: 1, bodyBytes: 1024 });
    }
  });
}

/** A history, and the times in ms of each question about it. */
interface Costs {
  readonly data: string;
  readonly found: Map<string, number[]>;
}

function note({ found }: Costs, what: string, tookMs: number): void {
  found.set(what, [...(found.get(what) ?? []), tookMs]);
}

/** Commits on top, as a process that was just started makes them; the first ones warm it up. */
async function commitMore(costs: Costs): Promise<void> {
  await withEngine(costs.data, async (engine) => {
    for (let commit = -50; commit < 150; commit++) {
      const layer = { first: (commit + 50) % replaced, files: 1, bodyBytes: 1024 };
      const took = await timed(() => commitSynthetic(engine, layer));
      if (commit >= 0) note(costs, 'commit of 1 KiB', took);
    }
  });
}

/** Every question in a process of its own: the first answer is cold, and the second is not counted. */
async function ask(costs: Costs): Promise<void> {
  await withEngine(costs.data, async (engine) => {
    const revision = 'main' as RefName;
    const content = { path: Buffer.from(pathOf(3)), revision };
    const questions: Readonly<Record<string, () => Promise<unknown>>> = {
      'first byte of a checkout, cold': () => firstByte(engine),
      'first byte of a checkout, warm': () => firstByte(engine),
      'whole checkout, warm': () => checkout(engine),
      '`ls` of a folder': () => listTree(engine, repo, { revision, path: Buffer.from('usr/lib/part-0/folder-1'), recursive: false, limit: 1000 }), // prettier-ignore
      '`cat` of a file': () => readFile(engine, repo, content),
      '`diff` with the commit before': () => compared(engine),
    };
    for (const [what, question] of Object.entries(questions)) {
      const isCold = what.endsWith('cold');
      for (let round = isCold ? 0 : -2; round < (isCold ? 1 : rounds); round++) {
        const took = await timed(question);
        if (round >= 0) note(costs, what, took);
      }
    }
  });
}

async function plan(engine: Engine) {
  const { graph, trees } = engine;
  const { commit: id } = (await graph.ref(repo, 'refs/heads/main' as RefName))!;
  const commit = (await graph.commit(repo, id!))!;
  return planRootfs(await trees.tree(repo, await layerStackOf(graph, trees, commit)));
}

async function firstByte(engine: Engine): Promise<void> {
  for await (const chunk of chunksOf(engine)) if (chunk.length > 0) return;
}

async function checkout(engine: Engine): Promise<void> {
  for await (const chunk of chunksOf(engine)) if (chunk.length === 0) return;
}

async function* chunksOf(engine: Engine): AsyncGenerator<Uint8Array> {
  yield* writeRootfs(await plan(engine), engine.layers.bodies(repo));
}

async function compared(engine: Engine): Promise<void> {
  const question = { from: null, to: 'main', fromMergeBase: false, paths: [], shadows: false, times: false };
  for await (const change of (await diff(engine, repo, question)).changes()) if (change.class === 'T') return;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
