import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { formatPosition, parsePosition } from '#core/position';
import type { GraphReader } from '#ports/graph-store';
import { awaitPosition, type Placed } from '#query/await-position';

/**
 * `Varve-Position` on every answer: how far the graph was when the answer was made, so that a later question with it as
 * `Varve-Min-Position` never sees less. `Varve-Min-Position` on any request: it waits until the graph is there.
 * Both are lists when the log has several partitions and the question is about all of them.
 */
export function installPositions(http: FastifyInstance, placed: Placed): void {
  http.addHook('preHandler', async (request) => awaitAsked(placed, request));
  http.addHook('onSend', async (request, reply, payload) => {
    if (!reply.hasHeader('varve-position')) await addPosition(placed, request, reply);
    return payload;
  });
}

/** The same for answers that are sent past the framework's hooks. */
export async function addPosition(placed: Placed, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const repo = (request.params as { repo?: string } | undefined)?.repo as RepositoryName | undefined;
  try {
    const positions = await positionsOf(placed, repo);
    if (positions !== undefined) void reply.header('varve-position', positions);
  } catch {
    // The graph cannot say where it is; the answer itself says why, or did not need it.
  }
}

async function awaitAsked(placed: Placed, request: FastifyRequest): Promise<void> {
  const asked = request.headers['varve-min-position'];
  if (asked !== undefined) await awaitPositions(placed, Array.isArray(asked) ? asked.join() : asked);
}

/** Waits for each position of the list. @throws REQUEST_INVALID, NAME_INVALID, POSITION_UNKNOWN, NOT_PROJECTED */
export async function awaitPositions(placed: Placed, list: string): Promise<void> {
  const texts = list.split(',').map((text) => text.trim());
  if (texts.length > placed.graph.partitionCount) {
    throw new VarveError(
      'REQUEST_INVALID',
      `Varve-Min-Position has ${texts.length} positions of ${placed.graph.partitionCount} partitions`,
    );
  }
  await Promise.all(texts.map((text) => awaitPosition(placed, parsePosition(text))));
}

/** How far the graph is, for one repository or for all; undefined before the first record. */
export async function positionsOf(
  { graph, log }: Placed,
  repo: RepositoryName | undefined,
): Promise<string | undefined> {
  const partitions = repo === undefined ? everyPartition(graph) : [partitionOf(repo, graph.partitionCount)];
  const checkpoints = await Promise.all(partitions.map((partition) => graph.checkpoint(partition)));
  const positions = checkpoints.flatMap(({ offset }, i) =>
    offset < 0 ? [] : [formatPosition({ log: log.id, partition: partitions[i] as number, offset })],
  );
  return positions.length === 0 ? undefined : positions.join(', ');
}

function everyPartition(graph: GraphReader): number[] {
  return Array.from({ length: graph.partitionCount }, (_, partition) => partition);
}
