import { genesis } from '#core/commit';
import type { GraphReader } from '#ports/graph-store';
import { openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { headOf, refsByCommit } from './refs.js';

describe('HEAD', () => {
  const history = openMemoryHistory();
  afterAll(() => history.close());

  it('is the default branch, else the tag latest, else the only ref, as long as there is one', async () => {
    const repo = await history.create('app');
    expect(await headOf(history.graph, repo)).toBe('refs/heads/main');

    await history.point(repo, 'tags/v1', genesis.id);
    await history.point(repo, 'tags/latest', genesis.id);
    await history.point(repo, 'heads/main', null);
    expect(await headOf(history.graph, repo)).toBe('refs/tags/latest');
  });

  it('is the only ref of a repository that has neither, and the missing branch where it would have to guess', async () => {
    const repo = await history.create('one');
    await history.point(repo, 'tags/v1', genesis.id);
    await history.point(repo, 'heads/main', null);
    expect(await headOf(history.graph, repo)).toBe('refs/tags/v1');

    await history.point(repo, 'tags/v2', genesis.id);
    expect(await headOf(history.graph, repo)).toBe('refs/heads/main');
  });
});

/** The graph, and `after` is called after each reading of all refs. */
function tellingRefs(graph: GraphReader, after: () => Promise<void>): GraphReader {
  return new Proxy(graph, {
    get: (target, name: keyof GraphReader) => {
      if (name === 'refs') {
        return async (...question: Parameters<GraphReader['refs']>) => {
          const refs = await target.refs(...question);
          await after();
          return refs;
        };
      }
      const member = target[name];
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

describe('refs by commit', () => {
  const history = openMemoryHistory();
  afterAll(() => history.close());

  it('are read once between two moves, and are those of now after each', async () => {
    const repo = await history.create('app');
    let reads = 0;
    const graph = tellingRefs(history.graph, async () => void (reads += 1));
    const tagged = async () => (await refsByCommit(graph, repo)).get(genesis.id);
    expect([await tagged(), await tagged(), await tagged()]).toEqual([
      ['refs/heads/main'],
      ['refs/heads/main'],
      ['refs/heads/main'],
    ]);
    expect(reads).toBe(1);

    await history.point(repo, 'tags/v1', genesis.id);
    expect(await tagged()).toContain('refs/tags/v1');
    await history.point(repo, 'tags/v1', null);
    expect(await tagged()).toEqual(['refs/heads/main']);
    expect(reads).toBe(3);
  });

  it('are not kept when a ref moved while they were read', async () => {
    const repo = await history.create('busy');
    const moves = [() => history.point(repo, 'tags/v1', genesis.id)];
    const graph = tellingRefs(history.graph, async () => moves.pop()?.());
    expect((await refsByCommit(graph, repo)).get(genesis.id)).toEqual(['refs/heads/main']);
    expect((await refsByCommit(graph, repo)).get(genesis.id)).toContain('refs/tags/v1');
  });
});
