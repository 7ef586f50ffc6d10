import { genesis } from '#core/commit';
import { openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { headOf } from './refs.js';

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
