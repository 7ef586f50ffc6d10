import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RepositoryName } from '#core/name';
import type { Position } from '#core/position';
import type { Placed } from '#query/await-position';
import { awaitPositions, lookAgain } from '../positions.js';
import { problemText } from './problem.filter.js';

/** What a question waited for, to be looked at again with its answer. A write is told its outcome, which stands in the log. */
const waitedFor = new WeakMap<FastifyRequest, readonly Position[]>();

/**
 * `Varve-Position` on every answer: how far the graph was when the answer was made, so that a later question with it as
 * `Varve-Min-Position` never sees less. `Varve-Min-Position` on any request: it waits until the graph is there.
 * Both are lists when the log has several partitions and the question is about all of them.
 */
export function installPositions(http: FastifyInstance, placed: Placed): void {
  http.addHook('preHandler', async (request) => {
    const asked = request.headers['varve-min-position'];
    if (asked === undefined) return;
    const positions = await awaitPositions(placed, Array.isArray(asked) ? asked.join() : asked);
    if (request.method === 'GET' || request.method === 'HEAD') noteWaited(request, positions);
  });
  http.addHook('onSend', async (request, reply, payload) => {
    // One that has it already may still have failed afterwards, by what it read then.
    if (reply.hasHeader('varve-position') && reply.statusCode < 400) return payload;
    try {
      await addPosition(placed, request, reply);
      return payload;
    } catch (error) {
      // One that failed tells of that; what was read from a graph that went back meanwhile is not told.
      return reply.statusCode >= 500 ? payload : problemText(error, request, reply);
    }
  });
}

/** What a question has waited for besides. */
export function noteWaited(request: FastifyRequest, positions: readonly Position[]): void {
  waitedFor.set(request, [...(waitedFor.get(request) ?? []), ...positions]);
}

/**
 * The same for answers that are sent past the framework's hooks.
 * @throws NOT_PROJECTED when the graph is not any more where the question wanted it: it lost what it had, and may have
 * answered from what is left; UNAVAILABLE when it cannot say
 */
export async function addPosition(placed: Placed, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const repo = (request.params as { repo?: string } | undefined)?.repo as RepositoryName | undefined;
  const { position, refusal } = await lookAgain(placed, { repo, wanted: waitedFor.get(request) ?? [] });
  if (position !== undefined) void reply.header('varve-position', position);
  if (refusal !== undefined) throw refusal;
}
