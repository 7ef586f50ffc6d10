import { genesis } from '#core/commit';
import { openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { imageTree } from './image-tree.js';

describe('imageTree', () => {
  it('draws a base that two repositories share once, and each commit after its parents', async () => {
    const history = openMemoryHistory();
    const [app, web] = [await history.create('app'), await history.create('web')];
    const base = { parents: [], layers: ['base'], message: 'base' };
    const shared = await history.commit(app, base);
    await history.commit(web, base);
    const onApp = await history.commit(app, { parents: [shared], layers: ['app'] });
    const onWeb = await history.commit(web, { parents: [shared], layers: ['web'] });
    await history.commit(web, { parents: [shared], message: 'no ref reaches it' });
    await history.point(app, 'tags/1', onApp);
    await history.point(web, 'tags/1', onWeb);
    await history.point(web, 'tags/base', shared);

    const nodes = await imageTree(history.graph, [app, web]);

    expect(nodes.map(({ id }) => id)).toEqual([genesis.id, shared, onApp, onWeb]);
    expect(nodes.map(({ ownBytes, virtualBytes }) => [ownBytes, virtualBytes])).toEqual([[0, 0], [512, 512], [512, 1024], [512, 1024]]); // prettier-ignore
    expect(nodes[1]?.places).toEqual([
      { repo: 'app', refs: [] },
      { repo: 'web', refs: ['refs/tags/base'] },
    ]);
    await history.close();
  });
});
