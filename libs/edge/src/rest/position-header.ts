import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { formatPosition, parsePosition, type Position } from '#core/position';
import type { GraphReader } from '#ports/graph-store';
import { awaitPosition, notVisible, type Placed } from '#query/await-position';
import { problemText } from './problem.filter.js';

/**
 * `Varve-Position` on every answer: how far the graph was when the answer was made, so that a later question with it as
 * `Varve-Min-Position` never sees less. `Varve-Min-Position` on any request: it waits until the graph is there.
 * Both are lists when the log has several partitions and the question is about all of them.
 */
export function installPositions(http: FastifyInstance, placed: Placed): void {
  http.addHook('preHandler', async (request) => awaitAsked(placed, request));
  http.addHook('onSend', async (request, reply, payload) => {
    if (reply.hasHeader('varve-position')) return payload;
    try {
      await addPosition(placed, request, reply);
      return payload;
    } catch (error) {
      // One that failed tells of that; what was read from a graph that went back meanwhile is not told.
      return reply.statusCode >= 500 ? payload : problemText(error, request, reply);
    }
  });
}

/**
 * The same for answers that are sent past the framework's hooks.
 * @throws NOT_PROJECTED when the graph is not any more where the question wanted it: it lost what it had, and may have
 * answered from what is left
 */
export async function addPosition(placed: Placed, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const repo = (request.params as { repo?: string } | undefined)?.repo as RepositoryName | undefined;
  let now: readonly Position[];
  try {
    now = await placesOf(placed, repo);
  } catch {
    // The graph cannot say where it is; the answer itself says why, or did not need it.
    return;
  }
  const positions = textOf(now);
  if (positions !== undefined) void reply.header('varve-position', positions);
  const asked = request.headers['varve-min-position'];
  if (asked === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return;
  for (const position of parseList(Array.isArray(asked) ? asked.join() : asked)) {
    const visible = now.find(({ partition }) => partition === position.partition);
    if (visible && visible.log === position.log && visible.offset < position.offset)
      throw notVisible(position, visible);
  }
}

async function awaitAsked(placed: Placed, request: FastifyRequest): Promise<void> {
  const asked = request.headers['varve-min-position'];
  if (asked !== undefined) await awaitPositions(placed, Array.isArray(asked) ? asked.join() : asked);
}

/** Waits for each position of the list. @throws REQUEST_INVALID, NAME_INVALID, POSITION_UNKNOWN, NOT_PROJECTED */
export async function awaitPositions(placed: Placed, list: string): Promise<void> {
  const count = list.split(',').length;
  if (count > placed.graph.partitionCount) {
    throw new VarveError(
      'REQUEST_INVALID',
      `Varve-Min-Position has ${count} positions of ${placed.graph.partitionCount} partitions`,
    );
  }
  await Promise.all(parseList(list).map((position) => awaitPosition(placed, position)));
}

function parseList(list: string): Position[] {
  return list.split(',').map((text) => parsePosition(text.trim()));
}

/** How far the graph is, for one repository or for all; undefined before the first record. */
export async function positionsOf(placed: Placed, repo: RepositoryName | undefined): Promise<string | undefined> {
  return textOf(await placesOf(placed, repo));
}

/** The same by partition, -1 before its first record. */
async function placesOf({ graph, log }: Placed, repo: RepositoryName | undefined): Promise<readonly Position[]> {
  const partitions = repo === undefined ? everyPartition(graph) : [partitionOf(repo, graph.partitionCount)];
  return Promise.all(
    partitions.map(async (partition) => ({
      log: log.id,
      partition,
      offset: (await graph.checkpoint(partition)).offset,
    })),
  );
}

function textOf(places: readonly Position[]): string | undefined {
  const told = places.filter(({ offset }) => offset >= 0);
  return told.length === 0 ? undefined : told.map(formatPosition).join(', ');
}

function everyPartition(graph: GraphReader): number[] {
  return Array.from({ length: graph.partitionCount }, (_, partition) => partition);
}
