import { VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { limit } from '#core/limit';
import { stateDigestOf } from '#core/state-digest';
import type { EventLog } from '#ports/event-log';
import type { GraphGeneration, GraphStore } from '#ports/graph-store';
import { checkNoGap, missingRecord } from './continue-log.js';
import { project, type Projected, type ProjectionTarget } from './project.js';

interface Stores {
  readonly log: EventLog;
  readonly graph: GraphStore;
}

/** What a replay from the first record gave. */
export interface Rebuilt {
  /** Of all partitions. */
  readonly records: number;
  /** The last record replayed of each partition, -1 where there is none. */
  readonly offsets: readonly number[];
  /** 64 hex: of all partitions together. */
  readonly stateDigest: string;
  /** The live graph had the same digests; false when there was nothing in it to compare with. */
  readonly sameAsBefore: boolean;
}

/** How often the live graph may go ahead of the new one in the instant before the promotion. */
const roundsMax = 1_000;

/**
 * Makes the graph again from the log beside the live one, which goes on being read and written, compares both at equal
 * offsets and puts the new one in its place. An empty graph is simply filled.
 * @throws CORRUPT when the two differ: nothing is promoted; LOG_TRUNCATED when the log has a gap
 */
export async function rebuild({ log, graph }: Stores): Promise<Rebuilt> {
  const generation = await graph.beginGeneration();
  try {
    let rebuilt = await replay({ log, graph }, generation);
    for (let round = 1; !(await generation.promote()); round += 1) {
      if (round === roundsMax) throw new VarveError('UNAVAILABLE', 'the live graph goes on too fast to be replaced');
      rebuilt = await replay({ log, graph }, generation);
    }
    return rebuilt;
  } catch (error) {
    await generation.discard();
    throw error;
  }
}

/**
 * Replays the log into a graph that is thrown away again, and compares it with the live one.
 * @throws CORRUPT when they differ; LOG_TRUNCATED when the log has a gap
 */
export async function verify({ log, graph }: Stores): Promise<Rebuilt> {
  const generation = await graph.beginGeneration();
  try {
    return await replay({ log, graph }, generation);
  } finally {
    await generation.discard();
  }
}

/** From where the generation is to where the live graph is, or of an empty one to the end of the log. */
async function replay({ log, graph }: Stores, generation: GraphGeneration): Promise<Rebuilt> {
  const ends: Projected[] = [];
  let sameAsBefore = true;
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    const live = await graph.checkpoint(partition);
    const from = await generation.checkpoint(partition);
    const at = await replayTo(
      log,
      generation,
      partition,
      from,
      live.offset < 0 ? await log.end(partition) : live.offset + 1,
    );
    if (at.offset === live.offset && at.stateDigest !== live.stateDigest) throw different(partition, live, at);
    sameAsBefore &&= at.offset === live.offset;
    ends.push(at);
  }
  return {
    records: ends.reduce((sum, { offset }) => sum + offset + 1, 0),
    offsets: ends.map(({ offset }) => offset),
    stateDigest: stateDigestOf(ends.map(({ stateDigest }) => stateDigest)),
    sameAsBefore,
  };
}

/** Up to the record before `end` exactly, so that digests are compared at equal offsets. */
async function replayTo(log: EventLog, target: ProjectionTarget, partition: number, from: Projected, end: number) {
  let at = from;
  for await (const batch of log.read(partition, at.offset + 1)) {
    for (let first = 0; first < batch.length; first += limit.applyRecordsMax) {
      const records = batch.slice(first, first + limit.applyRecordsMax).filter(({ offset }) => offset < end);
      if (records.length === 0) break;
      // The live graph goes on between two batches, and not after the last one: it would always be ahead.
      if (at !== from) await new Promise(setImmediate);
      at = await projectNext(log, target, partition, at, records);
    }
    if (at.offset >= end - 1) return at;
  }
  if (at.offset < end - 1) throw missingRecord(log, partition, at.offset + 1);
  return at;
}

async function projectNext(
  log: EventLog,
  target: ProjectionTarget,
  partition: number,
  at: Projected,
  records: readonly LogRecord[],
): Promise<Projected> {
  checkNoGap(log, partition, at.offset, records);
  const next = await project(target, partition, at, records);
  if (next) return next;
  throw new VarveError('INTERNAL', `the new graph is not at ${at.offset} any more: someone else writes to it`);
}

function different(partition: number, live: Projected, replayed: Projected): VarveError {
  const { offset } = live;
  const message = `the graph is not what the log says: at record ${offset} of partition ${partition} its state digest is ${live.stateDigest}, a replay gives ${replayed.stateDigest}. Delete the graph: it is made again from the log`;
  return new VarveError('CORRUPT', message, {
    partition,
    offset,
    live: live.stateDigest,
    replayed: replayed.stateDigest,
  });
}
