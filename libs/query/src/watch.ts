import { VarveError } from '#core/error';
import type { Actor, Event, LogRecord, Proposal, RefOperation } from '#core/event';
import { decodeEvent } from '#core/event-codec';
import { type Outcome, outcomesSince } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { formatPosition, parsePosition, type Position } from '#core/position';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { nextApplied } from './await-position.js';
import { knownRepository } from './known-repository.js';

/** One transaction of a repository: the envelope of its record, and what became of it. */
export interface WatchedEvent {
  readonly position: Position;
  /** The log's time, milliseconds since 1970. */
  readonly time: number;
  /** `ref.update.v1`, … */
  readonly type: Event['type'] | 'malformed';
  readonly txid: string;
  readonly repo: RepositoryName;
  /** Null when the record could not be read. */
  readonly actor: Actor | null;
  /** What the reflog calls it, and why; null for what moves no refs by itself. */
  readonly operation: RefOperation | null;
  readonly reason: string | null;
  readonly outcome: Outcome;
}

/** Where a watch stands: events are after `after`. */
export interface Watch {
  readonly after: Position;
  events(): AsyncGenerator<WatchedEvent>;
}

interface Watched {
  readonly graph: GraphReader;
  readonly log: Pick<EventLog, 'id' | 'end' | 'follow'>;
  /** What became of records whose outcomes the graph has forgotten; undefined for those that did nothing. */
  readonly audit?:
    | {
        outcomeAt(
          partition: number,
          offset: number,
        ): Promise<{ readonly time: number; readonly outcome: Outcome } | undefined>;
      }
    | undefined;
}

/**
 * Every transaction of a repository with its outcome, in the order of the log: those after a position (`start`: all of
 * them; undefined: only new ones), then new ones until the signal. Nothing is told before the graph shows it, so whoever
 * asks about an event finds it. A record that stands twice is told once, where it was judged.
 * @throws REPOSITORY_UNKNOWN, NAME_INVALID, POSITION_UNKNOWN when the position is of another log, of another partition, or
 * past the end; from `events`: UNAVAILABLE, OUTCOME_EXPIRED
 */
export async function watch(
  watched: Watched,
  { repo, after }: { readonly repo: RepositoryName; readonly after: string | undefined },
  signal: AbortSignal,
): Promise<Watch> {
  const { graph, log } = watched;
  await knownRepository(graph, repo);
  const partition = partitionOf(repo, graph.partitionCount);
  const place = { log: log.id, partition };
  const begin = async (): Promise<Position> => {
    if (after === 'start') return { ...place, offset: -1 };
    if (after !== undefined) return checkedPosition(log, parsePosition(after), partition);
    return { ...place, offset: (await graph.checkpoint(partition)).offset };
  };
  const position = await begin();
  return { after: position, events: () => eventsAfter(watched, { repo, position, signal }) };
}

async function checkedPosition(log: Watched['log'], position: Position, partition: number): Promise<Position> {
  const told = formatPosition(position);
  if (position.log !== log.id || position.partition !== partition) {
    const where = `${log.id}.${partition}`;
    throw new VarveError('POSITION_UNKNOWN', `position ${told} is not of the repository's log (${where})`, {
      position: told,
      log: log.id,
      partition,
    });
  }
  const end = await log.end(partition);
  if (position.offset < end) return position;
  throw new VarveError('POSITION_UNKNOWN', `position ${told} is past the end of the log, which has ${end} records`, {
    position: told,
    end,
  });
}

async function* eventsAfter(
  watched: Watched,
  {
    repo,
    position,
    signal,
  }: { readonly repo: RepositoryName; readonly position: Position; readonly signal: AbortSignal },
): AsyncGenerator<WatchedEvent> {
  const { graph, log } = watched;
  const { partition } = position;
  for await (const batch of log.follow(partition, position.offset + 1, signal)) {
    await shown(graph, { partition, offset: batch.at(-1)?.offset ?? -1 }, signal);
    for (const record of batch) {
      if (signal.aborted) return;
      const event = await judged(watched, { record, repo, position });
      if (event) yield event;
    }
  }
}

/** Undefined for what is another repository's, for a copy of a record that was judged before, and for what has no transaction. */
async function judged(
  watched: Watched,
  {
    record,
    repo,
    position,
  }: { readonly record: LogRecord; readonly repo: RepositoryName; readonly position: Position },
): Promise<WatchedEvent | undefined> {
  const decoded = decodeEvent(record.bytes);
  const about = decoded.type === 'event' ? eventAbout(decoded.event) : { ...decoded, ...noEvent };
  if (about.repo !== repo || about.txid === null) return undefined;
  const { txid, type, actor, operation, reason } = about;
  const place = { ...position, offset: record.offset };
  const found = await outcomeOf(watched, place, txid);
  return (
    found && { position: place, time: found.time, type, txid, repo, actor, operation, reason, outcome: found.outcome }
  );
}

/** The graph's, or of a record that is older than what it keeps the audit's. @throws OUTCOME_EXPIRED where nobody knows */
async function outcomeOf(
  { graph, audit }: Watched,
  { partition, offset }: Position,
  txid: string,
): Promise<{ readonly time: number; readonly outcome: Outcome } | undefined> {
  const row = await graph.outcome(partition, txid);
  if (row?.offset === offset) return row;
  const since = outcomesSince((await graph.checkpoint(partition)).partition);
  if (offset >= since) return undefined;
  if (audit) return audit.outcomeAt(partition, offset);
  const message = `what became of records before number ${since} is forgotten, and this process has no audit: watch from a later position`;
  throw new VarveError('OUTCOME_EXPIRED', message, { partition, offset, since });
}

const noEvent = { type: 'malformed', actor: null, operation: null, reason: null } as const;

function eventAbout(event: Event) {
  const { type, txid } = event;
  const repo = 'repo' in event ? event.repo : null;
  const actor = 'actor' in event ? event.actor : null;
  const moves = 'updates' in event ? (event satisfies Proposal) : null;
  return { type, txid, repo, actor, operation: moves?.operation ?? null, reason: moves?.reason ?? null };
}

/** Until the graph has the record. Notices may get lost, so the checkpoint is looked at as well. */
async function shown(
  graph: GraphReader,
  { partition, offset }: { readonly partition: number; readonly offset: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && (await graph.checkpoint(partition)).offset < offset) {
    await nextApplied(graph, partition, signal);
  }
}
