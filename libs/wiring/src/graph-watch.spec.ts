import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { VarveError } from '#core/error';
import type { GraphStore } from '#ports/graph-store';
import { Projector } from '#projection/follow';
import { absent, commitOn, main, move, recordBytes, repoCreate, txidOf } from '../../../test/fixture/event-builder.js';
import { wrapGraph } from '../../../test/fixture/wrapped-stores.js';
import { GraphWatch } from './graph-watch.js';

const clock = { now: () => 1_000 };
const root = commitOn([], 'root');
const create = recordBytes(repoCreate(txidOf('create'), { commits: [root], updates: [move(main, absent, root.id)] }));
const again = recordBytes(repoCreate(txidOf('again'), { commits: [root], updates: [move(main, absent, root.id)] }));
const everyMs = 5;

/** A server that can lose what it holds, and be away. */
function lossyGraph() {
  let held: GraphStore = openMemoryGraphStore();
  let isAway = false;
  const graph = wrapGraph(held, {
    checkpoint: async (partition) => {
      if (isAway) throw new VarveError('UNAVAILABLE', 'away');
      return held.checkpoint(partition);
    },
  });
  return {
    graph,
    held: () => held,
    lose: () => (held = openMemoryGraphStore()),
    leave: (away: boolean) => (isAway = away),
  };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, everyMs));
}

async function projected(log: ReturnType<typeof openMemoryEventLog>, graph: GraphStore): Promise<void> {
  const projector = new Projector({ log, graph });
  projector.start();
  await projector.caughtUp();
  await projector.stop();
}

describe('a gateway watches the graph that others keep', () => {
  it('and answers nothing before the graph shows what the log held at the start', async () => {
    const log = openMemoryEventLog(clock);
    await log.append(0, [create]);
    const { graph, held } = lossyGraph();
    const watch = await GraphWatch.start({ log, graph }, everyMs);
    expect(watch.behind()).toMatchObject({ code: 'NOT_PROJECTED', detail: { partition: 0, offset: -1, seen: 1 } });
    await projected(log, held());
    await until(() => watch.behind() === undefined);
    expect(watch.failure()).toBeUndefined();
    await watch.stop();
  });

  it('does not mind records that nobody has seen projected', async () => {
    const log = openMemoryEventLog(clock);
    await log.append(0, [create]);
    const { graph, held } = lossyGraph();
    await projected(log, held());
    const watch = await GraphWatch.start({ log, graph }, everyMs);
    await log.append(0, [again]);
    await new Promise((resolve) => setTimeout(resolve, 10 * everyMs));
    expect(watch.behind()).toBeUndefined();
    await watch.stop();
  });

  it('and answers nothing while a graph that was lost is made again, also when it was away meanwhile', async () => {
    const log = openMemoryEventLog(clock);
    await log.append(0, [create, again]);
    const server = lossyGraph();
    await projected(log, server.held());
    const watch = await GraphWatch.start({ log, graph: server.graph }, everyMs);
    expect(watch.behind()).toBeUndefined();
    server.leave(true);
    server.lose();
    await new Promise((resolve) => setTimeout(resolve, 4 * everyMs));
    server.leave(false);
    await until(() => watch.behind() !== undefined);
    expect(watch.behind()?.message).toMatch(/at record -1 of partition 0, and record 2 was visible already/);
    await projected(log, server.held());
    await until(() => watch.behind() === undefined);
    await watch.stop();
  });

  it('and says so when the log is not the one the graph was made from', async () => {
    const log = openMemoryEventLog(clock);
    await log.append(0, [create, again]);
    const { graph, held } = lossyGraph();
    await projected(log, held());
    const shorter = openMemoryEventLog(clock);
    await shorter.append(0, [create]);
    const watch = await GraphWatch.start({ log: shorter, graph }, everyMs);
    expect(watch.failure()).toMatchObject({ code: 'LOG_TRUNCATED' });
    await shorter.append(0, [again]);
    await until(() => watch.failure() === undefined);
    await watch.stop();
  });
});
