import { type CommitId, genesis } from '#core/commit';
import type { RepositoryName } from '#core/name';
import { type MemoryHistory, openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { log } from './log.js';

let history: MemoryHistory;
let repo: RepositoryName;
let names: Map<CommitId, string>;

/** genesis ← a ← b ← d, a ← c ← d */
beforeAll(async () => {
  history = openMemoryHistory();
  repo = await history.create('app');
  const a = await history.commit(repo, { parents: [genesis.id], message: 'a' });
  const b = await history.commit(repo, { parents: [a], message: 'b' });
  const c = await history.commit(repo, { parents: [a], message: 'c' });
  const d = await history.commit(repo, { parents: [b, c], message: 'd' });
  await history.point(repo, 'heads/main', d);
  await history.point(repo, 'tags/v1', b);
  names = new Map([[genesis.id, 'genesis'], [a, 'a'], [b, 'b'], [c, 'c'], [d, 'd']]); // prettier-ignore
});
afterAll(() => history.close());

async function pages(question: { readonly revision: string; readonly firstParent: boolean; readonly limit: number }) {
  const found: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await log(history, repo, { ...question, cursor });
    found.push(page.commits.map(({ row }) => names.get(row.id)).join(' '));
    if (page.cursor === null) return found;
    cursor = page.cursor;
  }
}

describe('log', () => {
  it('shows what a revision reaches, each once, a child before its parents', async () => {
    expect(await pages({ revision: 'main', firstParent: false, limit: 100 })).toEqual(['d c b a genesis']);
    expect(await pages({ revision: 'v1', firstParent: false, limit: 100 })).toEqual(['b a genesis']);
  });

  it.each([
    ['b..d', 'd c'],
    ['b..main', 'd c'],
    ['d..b', ''],
    ['c..b', 'b'],
    ['b...c', 'c b'],
    ['d...b', 'd c'],
    ['genesis..b', 'b a'],
    ['b..', 'd c'],
    ['..b', ''],
  ])('shows for %s what one side reaches and the other does not: "%s"', async (range, expected) => {
    const named = new Map([...names].map(([commit, name]) => [name, commit]));
    const revision = range.replace(/genesis|\b[abcd]\b/g, (name) => named.get(name)!);
    expect(await pages({ revision, firstParent: false, limit: 100 })).toEqual([expected]);
    expect((await pages({ revision, firstParent: false, limit: 1 })).filter(Boolean).join(' ')).toBe(expected);
  });

  it('follows first parents alone when asked to', async () => {
    expect(await pages({ revision: 'main', firstParent: true, limit: 100 })).toEqual(['d b a genesis']);
  });

  it('gives the same in pages of any size', async () => {
    expect(await pages({ revision: 'main', firstParent: false, limit: 1 })).toEqual(['d', 'c', 'b', 'a', 'genesis']);
    expect(await pages({ revision: 'main', firstParent: false, limit: 2 })).toEqual(['d c', 'b a', 'genesis']);
  });

  it('tells the refs that point at a commit', async () => {
    const { commits } = await log(history, repo, { revision: 'main', firstParent: false, limit: 3 });
    expect(commits.map(({ refs }) => refs)).toEqual([['refs/heads/main'], [], ['refs/tags/v1']]);
  });

  it.each(['', 'zzzzzz', '1.', '-1', '5.9', '1.2.3.4'])('refuses the cursor "%s"', async (cursor) => {
    const question = { revision: 'main', firstParent: false, limit: 10, cursor };
    await expect(log(history, repo, question)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });
});
