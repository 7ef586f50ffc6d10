import { setTimeout as pause } from 'node:timers/promises';
import type { Digest } from '#core/digest';
import { isVarveError } from '#core/error';
import { oneOfEachPartition } from '#core/partition';
import { formatPosition } from '#core/position';
import type { BlobStore, StagedFile } from '#ports/blob-store';
import type { GraphComparison } from '#projection/compare-graph';
import { checkBlobs } from '#query/fsck-blobs';
import { checkRepository } from '#query/fsck-commits';
import { checked, type CheckedUnit, checkedUnits, type Finding, found, type FsckStep } from '#query/fsck-finding';
import { ContentCheck } from '#query/fsck-layers';
import { treeSteps } from './command/check-audit.js';
import { derivedSteps } from './command/check-derived.js';
import type { Engine } from './engine.js';

export type FsckCounts = Readonly<Record<CheckedUnit, number>>;

/** A line of the answer; the last one is the summary. `positions` is how far the graph was when the run began. */
export type FsckLine =
  | ({ readonly type: 'finding' } & Finding)
  | { readonly type: 'progress'; readonly checked: FsckCounts }
  | {
      readonly type: 'summary';
      readonly quick: boolean;
      readonly positions: readonly string[];
      readonly faults: number;
      readonly notices: number;
      readonly checked: FsckCounts;
    };

const progressEveryMs = 500;
/** What is stored is named in this time, or its upload was given up. */
const uploadMs = 60_000;
/** A file that is moved out of staging in this time was in use after all. */
const secondLookMs = 1_000;

/**
 * Checks everything that is kept, beside reads and writes: what was there when the run began must be whole. Bounded
 * memory. Quick: sizes and connections, and no byte of a blob is read. @throws OVERLOADED, UNAVAILABLE, UNSUPPORTED
 */
export async function* fsck(engine: Engine, { quick }: { readonly quick: boolean }): AsyncGenerator<FsckLine> {
  const positions = await positionsOf(engine);
  const counts = Object.fromEntries(checkedUnits.map((unit) => [unit, 0])) as Record<CheckedUnit, number>;
  const severities = { fault: 0, notice: 0 };
  let toldAt = performance.now();
  for await (const step of stepsOf(engine, quick)) {
    if (step.type === 'finding') {
      severities[step.finding.severity] += 1;
      yield { type: 'finding', ...step.finding };
      continue;
    }
    counts[step.unit] += step.count;
    if (performance.now() - toldAt < progressEveryMs) continue;
    toldAt = performance.now();
    yield { type: 'progress', checked: { ...counts } };
  }
  const { fault: faults, notice: notices } = severities;
  yield { type: 'summary', quick, positions, faults, notices, checked: counts };
}

/** The log first: what the graph says is compared with it before it is relied on. */
async function* stepsOf(engine: Engine, quick: boolean): AsyncGenerator<FsckStep> {
  const { graph, blobs } = engine;
  const startedAt = Date.now();
  const leftovers = await leftoversIn(blobs, startedAt);
  const ends = await endsOf(engine);
  yield* quick ? checkLog(engine) : compareGraph(engine);
  if (!quick && engine.audit) yield* checkTrees(engine, engine.audit);
  const repositories = await graph.repositories();
  const damaged = new Set<Digest>();
  const scope = { quick, storedBefore: startedAt - uploadMs };
  yield* checkBlobs({ graph, blobs }, scope, damaged);
  const content = new ContentCheck({ graph, blobs }, { quick, damaged });
  for (const repository of repositories) yield* checkRepository(graph, repository, content);
  const names = repositories.map(({ repo }) => repo);
  const oneOfEach = oneOfEachPartition(names, graph.partitionCount);
  yield* derivedSteps(engine, { ...scope, repositories: oneOfEach });
  yield* checkBehind(engine, ends);
  yield* checkStaging(blobs, leftovers, startedAt);
}

/** Records are counted where the graph is compared. */
async function* checkTrees(engine: Engine, audit: NonNullable<Engine['audit']>): AsyncGenerator<FsckStep> {
  for await (const step of treeSteps(engine, audit)) if (step.type === 'finding') yield step;
}

async function* checkLog(engine: Engine): AsyncGenerator<FsckStep> {
  yield* haltOf(engine);
  try {
    await engine.checkLog();
  } catch (error) {
    yield brokenLog(engine, error);
  }
}

async function* compareGraph(engine: Engine): AsyncGenerator<FsckStep> {
  yield* haltOf(engine);
  try {
    for await (const step of engine.compareGraph()) {
      yield step.type === 'replayed' ? checked('records', step.records) : differenceIn(engine, step);
    }
  } catch (error) {
    yield brokenLog(engine, error);
  }
}

function* haltOf(engine: Engine): Generator<FsckStep> {
  const failure = engine.failure();
  if (!failure) return;
  const message = `the graph does not follow the event log any more: ${failure.message}`;
  yield found('projection-halted', { what: 'graph', where: `event log ${engine.log.id}`, message });
}

function brokenLog({ log }: Engine, error: unknown): FsckStep {
  if (!isVarveError(error, 'LOG_TRUNCATED')) throw error;
  return found('log-broken', { what: `event log ${log.id}`, where: 'event log', message: error.message });
}

function differenceIn({ log }: Engine, step: Extract<GraphComparison, { type: 'difference' }>): FsckStep {
  const { partition, offset, row, replayed, live } = step;
  const isDigest = row.startsWith('checkpoint');
  const sides = `in the graph it is ${textOf(live)}; a replay of the event log gives ${textOf(replayed)}`;
  return found(isDigest ? 'graph-digest' : 'graph-row', {
    what: row,
    where: `graph at ${formatPosition({ log: log.id, partition, offset })}`,
    message: `${sides}. Stop the server and delete the graph: it is made again from the event log`,
  });
}

const shownCharactersMax = 400;

function textOf(value: unknown): string {
  const text = value === undefined ? 'not there' : JSON.stringify(value);
  return text.length <= shownCharactersMax ? text : `${text.slice(0, shownCharactersMax).toWellFormed()}…`;
}

/** How many records each partition of the log has. */
async function endsOf({ log, graph }: Engine): Promise<number[]> {
  const partitions = Array.from({ length: graph.partitionCount }, (_, partition) => partition);
  return Promise.all(partitions.map((partition) => log.end(partition)));
}

/** What the log had when the run began, and the graph does not show when it is over, nobody has looked at. */
async function* checkBehind(engine: Engine, ends: readonly number[]): AsyncGenerator<FsckStep> {
  // A halted projection was told of.
  if (engine.failure()) return;
  for (const [partition, end] of ends.entries()) {
    const behind = await missingOf(engine, partition, end);
    if (behind === 0) continue;
    const offset = end - 1;
    const message = `${behind} records of the event log are not in the graph, and were not checked. If they stay away, see to it that a projector runs`;
    const where = formatPosition({ log: engine.log.id, partition, offset });
    yield found('graph-behind', { what: `partition ${partition}`, where, message });
  }
}

/** Records the graph lacks, asked again once: a projection may be a moment behind. */
async function missingOf({ graph }: Engine, partition: number, end: number): Promise<number> {
  const missing = async () => Math.max(0, end - 1 - (await graph.checkpoint(partition)).offset);
  if ((await missing()) === 0) return 0;
  await pause(secondLookMs);
  return missing();
}

/** Staged before the run began, and not by an upload of this process that goes on. */
async function leftoversIn(blobs: BlobStore, startedAt: number): Promise<Map<string, StagedFile>> {
  const files = new Map<string, StagedFile>();
  for await (const file of blobs.staged()) {
    if (!file.inUse && file.modifiedAt < startedAt) files.set(file.name, file);
  }
  return files;
}

async function* checkStaging(
  blobs: BlobStore,
  leftovers: ReadonlyMap<string, StagedFile>,
  startedAt: number,
): AsyncGenerator<FsckStep> {
  if (leftovers.size === 0) return;
  await pause(Math.max(0, startedAt + secondLookMs - Date.now()));
  const still = await leftoversIn(blobs, startedAt);
  for (const [name, { size, modifiedAt }] of still) {
    if (leftovers.get(name)?.modifiedAt !== modifiedAt) continue;
    const message = `${size} bytes were staged and belong to no upload. Restart the server: it sweeps them, as varve gc does when they are old enough`;
    yield found('staging-leftover', { what: name, where: 'staging', message });
  }
}

async function positionsOf({ graph, log }: Engine): Promise<string[]> {
  const partitions = Array.from({ length: graph.partitionCount }, (_, partition) => partition);
  const checkpoints = await Promise.all(partitions.map((partition) => graph.checkpoint(partition)));
  return checkpoints.flatMap(({ offset }, partition) =>
    offset < 0 ? [] : [formatPosition({ log: log.id, partition, offset })],
  );
}
