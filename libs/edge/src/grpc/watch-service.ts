import { parseRepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import { type Event, WatchServiceService, type WatchServiceServer } from '#proto/gen/varve/v1/watch';
import type { WatchedEvent } from '#query/watch';
import type { Watchers } from '../watchers.js';
import { instant } from '../rest/answer.js';
import { absent } from './absent.js';
import type { Calls } from './calls.js';
import { outcomeMessage } from './outcome-message.js';
import type { Served } from './served.js';

export function watchService(watchers: Watchers, calls: Calls): Served {
  const server: WatchServiceServer = {
    watch: calls.stream(async function* ({ repo, after }, { signal }) {
      const asked = { repo: parseRepositoryName(repo), after };
      for await (const step of watchers.watch(asked, signal)) {
        if (step.type === 'begun') yield { what: { $case: 'begun' as const, value: { position: step.position } } };
        if (step.type === 'event') yield { what: { $case: 'event' as const, value: eventMessage(step.event) } };
      }
    }),
  };
  return { definition: WatchServiceService, server };
}

function eventMessage({ position, time, outcome, ...event }: WatchedEvent): Event {
  return {
    ...absent(event),
    position: formatPosition(position),
    time: instant(time),
    outcome: outcomeMessage(outcome),
  };
}
