import { genesis } from '#core/commit';
import { branchRef, parseRepositoryName, tagRef } from '#core/name';
import { absent, app, commitOn, main, move } from '../../../test/fixture/event-builder.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { wrapGraph } from '../../../test/fixture/wrapped-stores.js';
import { createRepository } from './create-repository.js';
import { type RefMove, type RefTarget, updateRef, updateRefs } from './update-ref.js';

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
  it('leaves the decision to the fold when the graph went back behind what the caller has seen', async () => {
    const before = await history.graph.ref(app, main);
    const { outcome } = await update({});
    const seen = { commit: next.id, version: outcome.moves[0]?.version as number };
    const graph = wrapGraph(history.graph, { ref: async () => before });
    const { submitter } = history;
    const back = { repo: app, ref: main, to: genesis.id, mode: 'force', operation: 'rollback', expect: seen } as const;
    // It is where that graph says it is already, which is not where it was expected.
    const written = await updateRef({ graph, submitter }, back, context);
    expect(written.outcome.moves).toEqual([{ ref: main, commit: genesis.id, version: seen.version + 1 }]);
  });

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
    // But for the outcome of a refusal that stands in the log.
    const { partition } = await history.graph.checkpoint(0);
    expect({ ...partition, stretches: [] }).toEqual({ ...before.partition, stretches: [] });
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

describe('a deleted tag', () => {
  beforeEach(async () => {
    await update({ ref: v1 });
    await update({ ref: v1, to: null, mode: 'force', operation: 'delete' });
  });

  it('comes back with the commit it had', async () => {
    await update({ ref: v1, operation: 'restore' });
    expect(await history.graph.ref(app, v1)).toMatchObject({ commit: next.id });
  });

  it('comes back with another one only by force, and nothing is written else', async () => {
    const end = await history.log.end(0);
    await expect(update({ ref: v1, to: side.id })).rejects.toMatchObject({
      code: 'TAG_TOMBSTONED',
      detail: { was: next.id, to: side.id },
    });
    expect(await history.log.end(0)).toBe(end);
    await update({ ref: v1, to: side.id, mode: 'force' });
    expect(await history.graph.ref(app, v1)).toMatchObject({ commit: side.id });
  });
});

describe('updateRefs', () => {
  const all = (targets: readonly RefTarget[], by = context) =>
    updateRefs(history, { repo: app, operation: 'update', targets }, by);
  const to = (ref: RefTarget['ref'], commit: RefTarget['to'], more: Partial<RefTarget> = {}): RefTarget => ({
    ref,
    to: commit,
    mode: commit === null ? 'force' : 'ff',
    ...more,
  });

  it('makes, moves and deletes in one record', async () => {
    await update({ ref: dev, to: genesis.id });
    const end = await history.log.end(0);
    const { outcome } = await all([to(main, next.id), to(v1, side.id), to(dev, null)]);
    expect(outcome.moves.map(({ ref, commit }) => [ref, commit])).toEqual([
      [main, next.id],
      [v1, side.id],
      [dev, null],
    ]);
    expect(await history.log.end(0)).toBe(end + 1);
  });

  it.each<[string, () => RefTarget, string]>([
    ['one is elsewhere', () => to(dev, side.id, { expect: { commit: next.id, version: 1 } }), 'REF_STALE'],
    ['one is no fast-forward', () => to(dev, genesis.id), 'NOT_FAST_FORWARD'],
    ['one is not there', () => to(branchRef('none'), null), 'REF_UNKNOWN'],
    ['one goes nowhere', () => to(branchRef('new'), 'e'.repeat(64) as typeof genesis.id), 'COMMIT_UNKNOWN'],
    ['one is named twice', () => to(main, side.id), 'REQUEST_INVALID'],
  ])('does nothing when %s', async (_title, bad, code) => {
    await update({ ref: dev, to: side.id });
    const before = await history.graph.refs(app);
    await expect(all([to(main, next.id), to(v1, side.id), bad()])).rejects.toMatchObject({ code });
    expect(await history.graph.refs(app)).toEqual(before);
  });

  it('is decided as one: a race about one of them loses all', async () => {
    const expect1 = { commit: genesis.id, version: 1 };
    const race = await Promise.allSettled([
      all([to(main, next.id, { expect: expect1 }), to(dev, next.id)]),
      all([to(main, side.id, { expect: expect1 }), to(v1, side.id)]),
    ]);
    expect(race.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const names = (await history.graph.refs(app)).map(({ ref }) => ref);
    expect(names).toEqual(race[0]?.status === 'fulfilled' ? [dev, main] : [main, v1]);
  });

  it('leaves alone what is there already, and answers a retry as the first call', async () => {
    const key = { ...context, idempotencyKey: 'batch' };
    const first = await all([to(main, genesis.id), to(dev, next.id)], key);
    expect(first.outcome.moves.map(({ ref }) => ref)).toEqual([dev]);
    expect(await all([to(main, genesis.id), to(dev, next.id)], key)).toEqual({ ...first, replayed: true });
  });

  it('takes so many and no more', async () => {
    const many = Array.from({ length: 1_001 }, (_, i) => to(branchRef(`b${i}`), genesis.id));
    await expect(all(many)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await all(many.slice(1))).outcome.moves).toHaveLength(1_000);
  });
});
