import { openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { refsContaining } from './refs-containing.js';
import { resolve } from './resolve.js';

it('lists the refs from which a commit can be reached, on the first parent or beside it', async () => {
  const history = openMemoryHistory();
  const repo = await history.create('app');
  const base = await history.commit(repo, { message: 'base' });
  const left = await history.commit(repo, { message: 'left', parents: [base] });
  const right = await history.commit(repo, { message: 'right', parents: [base] });
  const merge = await history.commit(repo, { message: 'merge', parents: [left, right] });
  for (const [ref, to] of [['heads/left', left], ['heads/merge', merge], ['tags/merged', merge], ['tags/right', right], ['heads/gone', right]] as const) await history.point(repo, ref, to); // prettier-ignore
  await history.point(repo, 'heads/gone', null);
  const containing = async (id: string) =>
    (await refsContaining(history.graph, (await resolve(history, repo, id)).commit)).map(({ ref }) => ref);

  expect(await containing(right)).toEqual(['refs/heads/merge', 'refs/tags/merged', 'refs/tags/right']);
  expect(await containing(merge)).toEqual(['refs/heads/merge', 'refs/tags/merged']);
  expect(await containing(base)).toHaveLength(4);
  await history.close();
});
