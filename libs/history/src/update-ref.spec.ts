import { genesis } from '#core/commit';
import { branchRef, parseRepositoryName, tagRef } from '#core/name';
import { absent, app, commitOn, main, move } from '../../../test/fixture/event-builder.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { createRepository } from './create-repository.js';
import { type RefMove, updateRef } from './update-ref.js';

const dev = branchRef('dev');
const v1 = tagRef('v1');
const next = commitOn([genesis], 'next');
const side = commitOn([genesis], 'side');

let history: RunningHistory;
const update = (fields: Partial<RefMove>, by = context) =>
  updateRef(history, { repo: app, ref: main, to: next.id, mode: 'ff', operation: 'update', ...fields }, by);

beforeEach(async () => {
  history = runHistory();
  await history.create();
  await history.submitter.submit(
    { type: 'commit.batch.v1', repo: app, operation: 'commit', blobs: [], commits: [next, side], updates: [] },
    context,
  );
});
afterEach(() => history.close());

describe('createRepository', () => {
  it('makes the genesis commit and the default branch', async () => {
    expect(await history.graph.repository(app)).toMatchObject({ defaultBranch: main, generation: 1 });
    expect(await history.graph.reflogAt(app, main, 0)).toMatchObject({ to: genesis.id, operation: 'init', version: 1 });
  });

  it('refuses a second one', async () => {
    await expect(history.create()).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
  });

  it('answers a retry with the same key as it answered the first call', async () => {
    const make = () =>
      createRepository(
        history,
        { repo: parseRepositoryName('new'), defaultBranch: dev },
        { ...context, idempotencyKey: 'k' },
      );
    const first = await make();
    expect(await make()).toEqual({ ...first, replayed: true });
  });
});

describe('updateRef', () => {
  it('makes, moves, rolls back and deletes', async () => {
    expect((await update({ ref: dev, to: genesis.id, operation: 'branch' })).outcome.moves).toEqual([
      { ref: dev, commit: genesis.id, version: 2 },
    ]);
    await update({ ref: dev });
    await update({ ref: dev, to: genesis.id, mode: 'force', operation: 'rollback' });
    await update({ ref: dev, to: null, mode: 'force', operation: 'delete' });
    expect((await history.graph.reflog(app, { ref: dev, limit: 9 })).map(({ operation }) => operation)).toEqual([
      'delete',
      'rollback',
      'update',
      'branch',
    ]);
    // Once more, on what its deletion left.
    await update({ ref: dev, expect: { commit: null, version: 5 } });
  });

  it('writes nothing when the ref is there already', async () => {
    const { position } = await update({});
    const end = await history.log.end(0);
    expect(await update({})).toEqual({
      position,
      outcome: { type: 'accepted', commits: [], moves: [] },
      replayed: false,
    });
    expect(await history.log.end(0)).toBe(end);
  });

  it.each<[string, Partial<RefMove>, string]>([
    ['an unknown commit', { to: 'f'.repeat(64) as typeof genesis.id }, 'COMMIT_UNKNOWN'],
    ['an unknown repository', { repo: parseRepositoryName('other') }, 'REPOSITORY_UNKNOWN'],
    ['another expectation', { expect: { commit: next.id, version: 1 } }, 'REF_STALE'],
    ['an expectation of none', { expect: absent }, 'REF_STALE'],
    [
      'an old expectation, although the target is there',
      { to: genesis.id, expect: { commit: genesis.id, version: 0 } },
      'REF_STALE',
    ],
    ['the deletion of none', { ref: dev, to: null, mode: 'force' }, 'REF_UNKNOWN'],
  ])('refuses %s', async (_title, fields, code) => {
    const before = await history.graph.checkpoint(0);
    await expect(update(fields)).rejects.toMatchObject({ code });
    expect(await history.graph.ref(app, main)).toEqual({ commit: genesis.id, version: 1 });
    expect((await history.graph.reflog(app, { limit: 9 })).length).toBe(1);
    expect((await history.graph.checkpoint(0)).partition).toEqual(before.partition);
  });

  it('refuses a move that is none forward before it is in the log, and a tag that moves', async () => {
    await update({});
    await update({ ref: v1 });
    const end = await history.log.end(0);
    await expect(update({ to: side.id })).rejects.toMatchObject({
      code: 'NOT_FAST_FORWARD',
      detail: { from: next.id },
    });
    expect(await history.log.end(0)).toBe(end);
    await expect(update({ ref: v1, to: side.id })).rejects.toMatchObject({ code: 'TAG_IMMUTABLE' });
    await update({ ref: v1, to: side.id, mode: 'force' });
  });

  it('answers a retry as it answered the first call, also after others moved the ref', async () => {
    const key = { ...context, idempotencyKey: 'key' };
    const first = await update({}, key);
    await update({ to: genesis.id, mode: 'force' });
    expect(await update({}, key)).toEqual({ ...first, replayed: true });
    expect(await history.graph.ref(app, main)).toMatchObject({ commit: genesis.id });
  });

  it('lets one of two win who expect the same', async () => {
    const expected = { commit: genesis.id, version: 1 };
    const settled = await Promise.allSettled([
      update({ expect: expected }),
      update({ to: side.id, expect: expected }),
      history.submitter.submit(
        {
          type: 'ref.update.v1',
          repo: app,
          operation: 'reset',
          blobs: [],
          commits: [],
          updates: [move(main, expected, side.id)],
        },
        context,
      ),
    ]);
    expect(settled.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });
});
