import { type CommitId, genesis } from '#core/commit';
import { digestFromHex, digestOf, hexOf } from '#core/digest';
import { isVarveError } from '#core/error';
import { parseRefName, type RepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import { layerNamed, type MemoryHistory, openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { resolve, resolveRefName } from './resolve.js';

const v1Id = 'cafe'.repeat(16);
const config = digestOf('{}');

let history: MemoryHistory;
let repo: RepositoryName;
let id: Record<'base' | 'left' | 'right' | 'merge', CommitId>;

/** genesis ← base ← left ← merge, base ← right ← merge; main went genesis, base, left, merge. */
beforeAll(async () => {
  history = openMemoryHistory();
  repo = await history.create('app');
  const base = await history.commit(repo, { parents: [genesis.id], layers: ['base'], origin: { v1Id } });
  const left = await history.commit(repo, { parents: [base], layers: ['left'], message: 'left' });
  const right = await history.commit(repo, { parents: [base], message: 'right', config });
  const merge = await history.commit(repo, { parents: [left, right], message: 'merge' });
  id = { base, left, right, merge };
  for (const commit of [base, left, merge]) await history.point(repo, 'heads/main', commit);
  await history.point(repo, 'tags/v1', left);
  await history.point(repo, 'heads/v1', right);
  await history.point(repo, 'heads/gone', left);
  await history.point(repo, 'heads/gone', null);
  await history.point(repo, 'heads/feature/x', right);
});
afterAll(() => history.close());

type Known = keyof typeof id;

describe('resolve', () => {
  it.each<readonly [string, Known]>([
    ['main', 'merge'],
    ['HEAD', 'merge'],
    ['@', 'merge'],
    ['heads/feature/x', 'right'],
    ['feature/x', 'right'],
    ['refs/tags/v1', 'left'],
    ['tags/v1^', 'base'],
    ['main~1', 'left'],
    ['main~2', 'base'],
    ['main^2', 'right'],
    ['main^0', 'merge'],
    ['main^2^', 'base'],
    ['main@{0}', 'merge'],
    ['main@{1}', 'left'],
    ['@{2}', 'base'],
    ['main@{1}~1', 'base'],
    ['gone@{1}', 'left'],
    [`v1:${v1Id.slice(0, 8)}`, 'base'],
    ['cafecafe', 'base'],
    [`sha256:${hexOf(config)}`, 'right'],
    [hexOf(config).slice(0, 12), 'right'],
  ])('takes %s for the commit %s', async (text, name) => {
    expect((await resolve(history, repo, text)).commit.id).toBe(id[name]);
  });

  it('finds a commit by its id, whole or short', async () => {
    for (const text of [id.left, id.left.slice(0, 12)]) {
      expect((await resolve(history, repo, text)).commit.id).toBe(id.left);
    }
  });

  it('finds the first commit that has a layer', async () => {
    const text = hexOf(layerNamed('left')).slice(0, 16);
    expect((await resolve(history, repo, text)).commit.id).toBe(id.left);
  });

  it('takes the tag when a branch has the same name, and says so', async () => {
    const { commit, ref, warning } = await resolve(history, repo, 'v1');
    expect({ commit: commit.id, ref }).toEqual({ commit: id.left, ref: 'refs/tags/v1' });
    expect(warning).toBe('"v1" is ambiguous: refs/tags/v1 is used, and there is refs/heads/v1');
  });

  it.each([
    ['maim', 'REF_UNKNOWN', /no ref "maim"/],
    ['gone', 'REF_UNKNOWN', /no ref "gone"/],
    ['heads/nope', 'REF_UNKNOWN', /no ref "refs\/heads\/nope"/],
    ['main~9', 'COMMIT_UNKNOWN', /has 3 first-parent ancestors, not 9/],
    ['main^3', 'COMMIT_UNKNOWN', /has 2 parents, not 3/],
    ['main@{9}', 'COMMIT_UNKNOWN', /main has not moved 9 times/],
    ['gone@{0}', 'COMMIT_UNKNOWN', /gone was deleted then/],
    ['beef0000', 'COMMIT_UNKNOWN', /starts with "beef0000"/],
    [digestFromHex('0'.repeat(64)), 'COMMIT_UNKNOWN', /starts with/],
    ['a..b', 'NAME_INVALID', /a range of commits.*varve log/],
    ['main:etc/passwd', 'NAME_INVALID', /a path in a tree.*varve cat/],
    ['main@{2015-01-01}', 'COMMIT_UNKNOWN', /main was first set at 2026-01-01T.*, after 2015-01-01T/],
    ['main@{9999-01-01}', 'COMMIT_UNKNOWN', /9999-01-01T00:00:00.000Z is in the future/],
    ['nope@{yesterday}', 'REF_UNKNOWN', /no ref "nope"/],
    ['main@{position:lother.0.1}', 'POSITION_UNKNOWN', /lother.0.1 is not of this log/],
    ['nope@{position:lother.0.1}', 'REF_UNKNOWN', /no ref "nope"/],
    [':/no such text', 'COMMIT_UNKNOWN', /has "no such text" in its message/],
    ['~1', 'NAME_INVALID', /needs a revision before it/],
  ])('refuses %s with %s', async (text, code, message) => {
    const error = await resolve(history, repo, text).catch((thrown: unknown) => thrown);
    expect(isVarveError(error) && error.code).toBe(code);
    expect(isVarveError(error) && error.message).toMatch(message);
  });

  it.each<readonly [string, Known]>([
    [':/left', 'left'],
    [':/e', 'merge'],
    [':/igh', 'right'],
  ])('takes %s for the newest commit %s that a ref reaches and that says so', async (text, name) => {
    expect((await resolve(history, repo, text)).commit.id).toBe(id[name]);
  });

  it('takes a ref at a time for what it pointed at then, by the times of its moves', async () => {
    const moves = (await history.graph.reflog(repo, { ref: parseRefName('heads/main'), limit: 10 })).toReversed();
    for (const [at, move] of moves.entries()) {
      const next = moves[at + 1]?.time ?? move.time + 10_000;
      for (const ms of [move.time, next - 1]) {
        const text = `main@{${new Date(ms).toISOString()}}`;
        expect((await resolve(history, repo, text)).commit.id).toBe(move.to);
      }
    }
  });

  it('takes a ref at a position for what it pointed at after that record', async () => {
    const at = (offset: number): string => formatPosition({ log: history.log.id, partition: 0, offset });
    const moves = (await history.graph.reflog(repo, { ref: parseRefName('heads/main'), limit: 10 })).toReversed();
    for (const [i, move] of moves.entries()) {
      for (let offset = move.offset; offset < (moves[i + 1]?.offset ?? move.offset + 1); offset += 1) {
        for (const text of ['main', 'HEAD', '']) {
          const { commit, ref } = await resolve(history, repo, `${text}@{position:${at(offset)}}`);
          expect({ commit: commit.id, ref }).toEqual({ commit: move.to, ref: null });
        }
      }
    }
    expect((await resolve(history, repo, `main@{position:${at(moves[2]!.offset)}}~1`)).commit.id).toBe(id.base);
  });

  it('says what a ref was at a position where it pointed nowhere', async () => {
    const [deleted, made] = await history.graph.reflog(repo, { ref: parseRefName('heads/gone'), limit: 2 });
    const ask = (offset: number) => resolve(history, repo, `gone@{position:${history.log.id}.0.${offset}}`);
    expect((await ask(made!.offset)).commit.id).toBe(id.left);
    await expect(ask(made!.offset - 1)).rejects.toMatchObject({
      code: 'COMMIT_UNKNOWN',
      message: expect.stringMatching(/not there yet/),
    });
    await expect(ask(deleted!.offset)).rejects.toMatchObject({
      code: 'COMMIT_UNKNOWN',
      message: expect.stringMatching(/was deleted at/),
    });
  });

  it.each([
    ['behind the end of the log', '0.99999', 'NOT_PROJECTED', /is not visible yet: the graph is at/],
    ['of a partition that is not there', '1.1', 'POSITION_UNKNOWN', /is not of this log/],
  ])('refuses a position %s', async (_what, place, code, message) => {
    const asked = resolve(history, repo, `main@{position:${history.log.id}.${place}}`);
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('counts a time that is so long ago from now', async () => {
    const [newest, before] = await history.graph.reflog(repo, { ref: parseRefName('heads/main'), limit: 2 });
    const at = async (text: string, nowMs: number) => (await resolve(history, repo, text, nowMs)).commit.id;
    expect(await at('main@{yesterday}', newest!.time + 86_400_000)).toBe(newest!.to);
    expect(await at('main@{1.day.ago}', newest!.time + 86_399_999)).toBe(before!.to);
    expect(await at('main@{2 hours ago}', newest!.time + 7_200_000)).toBe(newest!.to);
  });

  it('says that a ref was deleted at the time', async () => {
    const error = await resolve(history, repo, 'gone@{0.seconds.ago}').catch((thrown: unknown) => thrown);
    expect(isVarveError(error, 'COMMIT_UNKNOWN') && error.message).toMatch(/gone was deleted then/);
  });

  it('lists the candidates of a short id that means several commits', async () => {
    const seen = new Map<string, CommitId>();
    for (let n = 0; ; n++) {
      const commit = await history.commit(repo, { parents: [genesis.id], message: `n ${n}` });
      const twin = seen.get(commit.slice(0, 4));
      seen.set(commit.slice(0, 4), commit);
      if (!twin) continue;
      const error = await resolve(history, repo, commit.slice(0, 4)).catch((thrown: unknown) => thrown);
      expect(isVarveError(error, 'REVISION_AMBIGUOUS')).toBe(true);
      type Candidate = { readonly kind: string; readonly commit: string; readonly subject: string };
      const { candidates } = (error as { detail: { candidates: readonly Candidate[] } }).detail;
      expect(candidates.find((one) => one.commit === commit)).toMatchObject({ kind: 'commit', subject: `n ${n}` });
      expect(candidates.map(({ commit: candidate }) => candidate)).toEqual(expect.arrayContaining([twin, commit]));
      return;
    }
  });

  it('proposes names that are spelled alike', async () => {
    const error = await resolve(history, repo, 'maim').catch((thrown: unknown) => thrown);
    expect((error as { detail: { suggestions: string[] } }).detail.suggestions).toContain('main');
    const unknown = await resolve(history, 'ap' as RepositoryName, 'main').catch((thrown: unknown) => thrown);
    expect(isVarveError(unknown, 'REPOSITORY_UNKNOWN') && unknown.detail['suggestions']).toEqual(['app']);
  });
});

describe('resolveRefName', () => {
  it('gives the full name, also of a ref that is deleted', async () => {
    expect(await resolveRefName(history.graph, repo, 'main')).toBe('refs/heads/main');
    expect(await resolveRefName(history.graph, repo, 'gone')).toBe('refs/heads/gone');
    expect(await resolveRefName(history.graph, repo, 'HEAD')).toBe('refs/heads/main');
  });

  it('refuses what is a commit and no ref', async () => {
    await expect(resolveRefName(history.graph, repo, 'main~1')).rejects.toMatchObject({ code: 'NAME_INVALID' });
  });
});
