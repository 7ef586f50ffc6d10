import type { CommitId } from '#core/commit';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { type MemoryHistory, openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { Random } from '../../../test/oracle/random.js';
import type { Placed } from './await-position.js';
import { GraphAt, type Moment } from './graph-at.js';
import { log } from './log.js';
import { readReflog } from './reflog.js';
import { resolve } from './resolve.js';

// oxlint-disable-next-line node/no-process-env -- a failing seed is run again
const seed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000_000);

/** What can be asked of a repository, as one value. */
async function everything(placed: Placed, repo: RepositoryName, ids: readonly CommitId[]) {
  const { graph } = placed;
  const refs = await graph.refs(repo);
  const names = ['main', 'side', 'v1', 'v2'];
  const settled = async (ask: Promise<unknown>) => ask.catch(({ code }: { code: string }) => code);
  return {
    repository: await graph.repository(repo),
    refs,
    reflog: await readReflog(graph, repo, { limit: 100 }),
    commits: await graph.commits(repo, { limit: 100 }),
    found: await Promise.all(ids.map(async (id) => (await graph.commitsByPrefix(repo, id.slice(0, 4), 3)).length)),
    former: await Promise.all(
      names.flatMap((name) => [0, 1, 2].map((n) => settled(resolve(placed, repo, `${name}@{${n}}`)))),
    ),
    logs: await Promise.all(
      names.map((name) => settled(log(placed, repo, { revision: name, firstParent: false, limit: 20 }))),
    ),
  };
}

describe(`the graph at a moment (VARVE_TEST_SEED=${seed})`, () => {
  let history: MemoryHistory;
  beforeAll(() => (history = openMemoryHistory()));
  afterAll(() => history.close());

  it('is what the graph was: for every question, after every step, by position and by time', async () => {
    const { graph } = history;
    const random = new Random(seed);
    const repo = await history.create('app');
    const partition = partitionOf(repo, graph.partitionCount);
    const ids: CommitId[] = [];
    const steps: { position: Moment; movedAtMs: number | null; answers: unknown; known: number }[] = [];
    for (let i = 0; i < 40; i += 1) {
      if (ids.length === 0 || random.chance(0.4)) {
        ids.push(await history.commit(repo, { parents: ids.slice(-1), message: `commit ${i}` }));
      } else {
        const ref = random.pick(['heads/main', 'heads/side', 'tags/v1', 'tags/v2']);
        // To delete what is not there changes nothing.
        await history.point(repo, ref, random.chance(0.2) ? null : random.pick(ids)).catch(() => undefined);
      }
      const { offset, partition: row } = await graph.checkpoint(partition);
      const position = { type: 'position', position: { log: history.log.id, partition, offset } } as const;
      const hasMoved = (await graph.reflog(repo, { limit: 1 }))[0]?.offset === offset;
      const answers = await everything(history, repo, ids);
      steps.push({ position, movedAtMs: hasMoved ? row.time : null, answers, known: ids.length });
    }
    for (const [i, { position, movedAtMs, answers, known }] of steps.entries()) {
      const told = await everything({ ...history, graph: new GraphAt(graph, position) }, repo, ids.slice(0, known));
      expect({ step: i, ...told }).toEqual({ step: i, ...(answers as object) });
      if (movedAtMs === null) continue;
      // The time of a move means all until the next one.
      const next = steps.findIndex(({ movedAtMs: ms }, j) => j > i && ms !== null && ms !== movedAtMs);
      const last = steps.at(next === -1 ? -1 : next - 1)!;
      const atTime = new GraphAt(graph, { type: 'time', ms: movedAtMs });
      const toldThen = await everything({ ...history, graph: atTime }, repo, ids.slice(0, last.known));
      expect({ step: i, ...toldThen }).toEqual({ step: i, ...(last.answers as object) });
    }
  });

  it('does not know a repository before it was made, and lists those that were there', async () => {
    const { graph } = history;
    const made = await history.create('later');
    const row = await graph.repository(made);
    const before = new GraphAt(graph, { type: 'time', ms: (row?.createdAt ?? 0) - 1 });
    await expect(before.repository(made)).rejects.toMatchObject({ code: 'TIME_UNKNOWN' });
    expect((await before.repositories()).map(({ repo }) => repo)).toEqual(['app']);
    expect(await before.refs(made)).toEqual([]);
    const then = new GraphAt(graph, { type: 'time', ms: row?.createdAt ?? 0 });
    expect((await then.repositories()).map(({ repo }) => repo)).toEqual(['app', 'later']);
  });

  it('refuses a position of another partition', async () => {
    const at = new GraphAt(history.graph, { type: 'position', position: { log: 'x', partition: 7, offset: 1 } });
    await expect(at.refs('app' as RepositoryName)).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' });
  });
});
