import { setTimeout as pause } from 'node:timers/promises';
import { VarveError } from '#core/error';
import {
  HealthCheckResponse_ServingStatus as Status,
  type HealthServer,
  HealthService,
} from '#proto/gen/grpc/health/v1/health';
import type { Health } from '../health.js';
import type { Calls } from './calls.js';
import type { Served } from './served.js';

const probeEveryMs = 1_000;

/**
 * `grpc.health.v1.Health`: the answer of `/readyz` at this door, for the server as a whole ("") and for each of its
 * services, which live and die together. A watch is told within about a second, and ends when the process is to.
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function healthService(
  health: Health,
  calls: Calls,
  { names, closing }: { readonly names: readonly string[]; readonly closing: AbortSignal },
): Served {
  const known = new Set(['', ...names]);
  const statusNow = async (): Promise<Status> => {
    if (closing.aborted) return Status.NOT_SERVING;
    return (await health.ready()).status === 'ok' ? Status.SERVING : Status.NOT_SERVING;
  };
  const server: HealthServer = {
    check: calls.look(async ({ service }) => {
      if (known.has(service)) return { status: await statusNow() };
      throw new VarveError('PATH_UNKNOWN', `there is no service ${service} here`, { service });
    }),
    watch: calls.lookOn(async function* ({ service }, { signal }) {
      const over = AbortSignal.any([signal, closing]);
      let told: Status | undefined;
      while (!over.aborted) {
        const status = known.has(service) ? await statusNow() : Status.SERVICE_UNKNOWN;
        if (status !== told) yield { status };
        told = status;
        await pause(probeEveryMs, undefined, { signal: over }).catch(() => undefined);
      }
    }),
    list: calls.look(async () => {
      const status = await statusNow();
      return { statuses: Object.fromEntries([...known].map((name) => [name, { status }])) };
    }),
  };
  return { definition: HealthService, server };
}
