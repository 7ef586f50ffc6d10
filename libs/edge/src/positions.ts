import { VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { formatPosition, parsePosition, type Position } from '#core/position';
import type { GraphReader } from '#ports/graph-store';
import { awaitPosition, notVisible, type Placed } from '#query/await-position';

/** What an answer is about, as far as places go. */
export interface PlacedQuestion {
  /** Undefined: all repositories. */
  readonly repo: RepositoryName | undefined;
  /** The positions that its reader asked for and that were waited for; none when the answer is not read from the graph. */
  readonly wanted: readonly Position[];
}

/** How far the graph is when an answer has been made of it. */
export interface Seen {
  /** As `Varve-Position` tells it; undefined before the first record, and when the graph cannot say. */
  readonly position: string | undefined;
  /**
   * Why the answer is not to be told: the graph is not where its reader wanted it, so it lost what it had and may have
   * answered from what is left. Undefined while it is.
   */
  readonly refusal: unknown;
}

/**
 * Waits for each position of a list, one or one for each partition that the question is about, and gives them.
 * @throws REQUEST_INVALID, NAME_INVALID, POSITION_UNKNOWN, NOT_PROJECTED
 */
export async function awaitPositions(placed: Placed, list: string): Promise<readonly Position[]> {
  const texts = list.split(',').map((text) => text.trim());
  if (texts.length > placed.graph.partitionCount) {
    throw new VarveError(
      'REQUEST_INVALID',
      `Varve-Min-Position has ${texts.length} positions of ${placed.graph.partitionCount} partitions`,
    );
  }
  const positions = texts.map(parsePosition);
  await Promise.all(positions.map((position) => awaitPosition(placed, position)));
  return positions;
}

/** Looks at the graph when an answer has been made. Never throws. */
export async function lookAgain({ graph, log }: Placed, { repo, wanted }: PlacedQuestion): Promise<Seen> {
  try {
    const partitions = repo === undefined ? everyPartition(graph) : [partitionOf(repo, graph.partitionCount)];
    const now = await Promise.all(
      partitions.map(async (partition) => ({
        log: log.id,
        partition,
        offset: (await graph.checkpoint(partition)).offset,
      })),
    );
    return { position: textOf(now), refusal: missing(wanted, now) };
  } catch (error) {
    // Who asked for no position has an answer that says why, or did not need the graph.
    return { position: undefined, refusal: wanted.length === 0 ? undefined : error };
  }
}

/** The first that is not reached, of the partitions that the answer is made of. */
function missing(wanted: readonly Position[], now: readonly Position[]): VarveError | undefined {
  for (const position of wanted) {
    const visible = now.find(({ partition }) => partition === position.partition);
    if (visible && visible.offset < position.offset) return notVisible(position, visible);
  }
  return undefined;
}

function textOf(places: readonly Position[]): string | undefined {
  const told = places.filter(({ offset }) => offset >= 0);
  return told.length === 0 ? undefined : told.map(formatPosition).join(', ');
}

function everyPartition(graph: GraphReader): number[] {
  return Array.from({ length: graph.partitionCount }, (_, partition) => partition);
}
