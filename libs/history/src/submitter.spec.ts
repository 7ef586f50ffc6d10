import { genesis } from '#core/commit';
import { VarveError } from '#core/error';
import { decodeEvent } from '#core/event-codec';
import { limit } from '#core/limit';
import { branchRef } from '#core/name';
import type { EventLog } from '#ports/event-log';
import {
  absent,
  app,
  commitOn,
  layerBlob,
  main,
  move,
  recordBytes,
  txidOf,
} from '../../../test/fixture/event-builder.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { recordsOf, wrapLog } from '../../../test/fixture/wrapped-stores.js';
import type { ProposalDraft } from './draft.js';

const dev = branchRef('dev');
const next = commitOn([genesis], 'next');
const draft = (fields: Partial<Omit<ProposalDraft, 'type'>> = {}): ProposalDraft => ({
  type: 'ref.update.v1',
  repo: app,
  operation: 'commit',
  blobs: [],
  commits: [next],
  updates: [move(main, { commit: genesis.id, version: 1 }, next.id)],
  ...fields,
});
const keyed = { ...context, idempotencyKey: 'key', request: 'a'.repeat(64) };

let history: RunningHistory;
async function running(options: Parameters<typeof runHistory>[0] = {}): Promise<RunningHistory> {
  history = runHistory(options);
  await history.create();
  return history;
}
afterEach(() => history.close());

describe('Submitter', () => {
  it('answers when the write is projected, with its position', async () => {
    const { submitter, graph, log } = await running();
    const written = await submitter.submit(draft(), context);
    expect(written).toEqual({
      position: { log: log.id, partition: 0, offset: 2 },
      outcome: { type: 'accepted', commits: [next.id], moves: [{ ref: main, commit: next.id, version: 2 }] },
      replayed: false,
    });
    expect(await graph.ref(app, main)).toEqual({ commit: next.id, version: 2 });
  });

  it('throws what the fold rejects with, and the transaction', async () => {
    const { submitter } = await running();
    const refused = submitter.submit(draft({ commits: [commitOn([next], 'no parent')] }), context);
    await expect(refused).rejects.toMatchObject({
      code: 'COMMIT_UNKNOWN',
      detail: { parent: next.id, txid: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
  });

  it('appends nothing for a ref that has moved on, or a repository that is not there', async () => {
    const { submitter, log } = await running();
    await submitter.submit(draft(), context);
    const end = await log.end(0);
    await expect(submitter.submit(draft(), context)).rejects.toMatchObject({
      code: 'REF_STALE',
      detail: { expected: { commit: genesis.id, version: 1 }, actual: { commit: next.id, version: 2 } },
    });
    const other = { ...draft(), repo: 'other' as typeof app };
    await expect(submitter.submit(other, context)).rejects.toMatchObject({ code: 'REPOSITORY_UNKNOWN' });
    expect(await log.end(0)).toBe(end);
  });

  it('appends what the graph may not have seen yet, and lets the log decide', async () => {
    const { submitter, projector } = await running();
    const ahead = draft({ updates: [move(main, { commit: next.id, version: 2 }, next.id)] });
    await expect(submitter.submit(ahead, context)).rejects.toMatchObject({ code: 'REF_STALE' });
    await projector.caughtUp();
  });

  it('accepts exactly one of many that race', async () => {
    const { submitter, newSubmitter } = await running();
    const submitters = [submitter, newSubmitter()];
    const racers = Array.from({ length: 20 }, (_, n) => {
      const mine = commitOn([genesis], `racer ${n}`);
      const update = move(main, { commit: genesis.id, version: 1 }, mine.id);
      const by = submitters[n % 2] ?? submitter;
      return by.submit(draft({ commits: [mine], updates: [update] }), context);
    });
    const settled = await Promise.allSettled(racers);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'REF_STALE' });
    }
  });

  it('writes once for one idempotency key, on any instance', async () => {
    const { submitter, newSubmitter, log } = await running();
    const first = await submitter.submit(draft(), keyed);
    const end = await log.end(0);
    for (const each of [submitter, newSubmitter()]) {
      expect(await each.submit(draft(), keyed)).toEqual({ ...first, replayed: true });
      expect(await each.seenOutcome(app, keyed)).toEqual({ ...first, replayed: true });
    }
    expect(await log.end(0)).toBe(end);
  });

  it('writes once for calls with one key that run at the same time', async () => {
    const { submitter, newSubmitter, graph } = await running();
    const all = await Promise.all([submitter, newSubmitter(), submitter].map((each) => each.submit(draft(), keyed)));
    expect(new Set(all.map(({ position }) => position.offset)).size).toBe(1);
    expect(await graph.reflog(app, { limit: 10 })).toHaveLength(2);
  });

  it('remembers a rejection under its key too', async () => {
    const { submitter } = await running();
    const bad = draft({ updates: [move(main, { commit: next.id, version: 2 }, next.id)] });
    await expect(submitter.submit(bad, keyed)).rejects.toMatchObject({ code: 'REF_STALE' });
    await expect(submitter.submit(draft(), keyed)).rejects.toMatchObject({ code: 'REF_STALE' });
  });

  it('refuses the same key for another request', async () => {
    const { submitter } = await running();
    await submitter.submit(draft(), keyed);
    const other = submitter.submit(draft(), { ...keyed, request: 'b'.repeat(64) });
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(await submitter.seenOutcome(app, { ...keyed, idempotencyKey: 'other' })).toBeUndefined();
  });

  it('keeps the steps of one write apart', async () => {
    const { submitter, graph } = await running();
    await submitter.submit(draft({ updates: [move(dev, absent, genesis.id)], commits: [], step: 'dev' }), keyed);
    await submitter.submit(draft(), keyed);
    expect((await graph.reflog(app, { limit: 10 })).map(({ ref }) => ref)).toEqual([main, dev, main]);
  });

  it('brings a large write in several records, and moves the ref with the last', async () => {
    const { submitter, graph, log } = await running();
    const commits = [next];
    for (let n = 0; n < 40; n += 1) commits.push(commitOn(commits.slice(-1), `${n}`.padEnd(40_000, 'x')));
    const tip = commits.at(-1) ?? next;
    const large = draft({
      commits,
      blobs: [layerBlob('a')],
      updates: [move(main, { commit: genesis.id, version: 1 }, tip.id)],
    });
    const written = await submitter.submit(large, keyed);
    expect(written.outcome.commits).toEqual(commits.map(({ id }) => id));
    expect(await graph.ref(app, main)).toEqual({ commit: tip.id, version: 2 });
    const records = (await recordsOf(log)).slice(2);
    expect(records.length).toBeGreaterThan(4);
    for (const { bytes } of records) expect(bytes.length).toBeLessThanOrEqual(limit.recordBytesMax);
    expect(await submitter.submit(large, keyed)).toMatchObject({ replayed: true, position: written.position });
    expect(await log.end(0)).toBe(2 + records.length);
  });

  it('refuses before it appends what no record can hold', async () => {
    const { submitter, log } = await running();
    const end = await log.end(0);
    const long = { ...context, reason: 'x'.repeat(limit.commitTextBytesMax + 1) };
    await expect(submitter.submit(draft(), long)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const key = { ...context, idempotencyKey: 'k'.repeat(256) };
    await expect(submitter.submit(draft(), key)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const commits = Array.from({ length: 20 }, (_, n) => commitOn([], `${n}`.padEnd(60_000, 'x')));
    const creation = { ...draft({ commits, updates: [] }), repo: 'new' as typeof app };
    const create = submitter.submit({ ...creation, type: 'repo.create.v1', defaultBranch: main }, context);
    await expect(create).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await log.end(0)).toBe(end);
  });
});

/** A log whose appends misbehave while `fault` says so. */
function faulty() {
  const state: { fault: 'none' | 'lost' | 'stored' | 'full' | 'vanishes'; appends: number } = {
    fault: 'none',
    appends: 0,
  };
  const wrap = (log: EventLog) =>
    wrapLog(log, {
      async append(partition, records) {
        state.appends += 1;
        const { fault } = state;
        if (fault === 'full') throw new VarveError('STORAGE_FULL', 'no room');
        if (fault === 'lost') throw new VarveError('UNAVAILABLE', 'the log went away');
        if (fault !== 'vanishes') await log.append(partition, records);
        if (fault === 'vanishes') await log.append(partition, [recordBytes(someoneElse(state.appends))]);
        if (fault === 'stored') throw new VarveError('UNAVAILABLE', 'the answer was lost');
      },
    });
  return { state, wrap };
}

const someoneElse = (n: number) => ({ type: 'rules.activate.v1', txid: txidOf(`else ${n}`), rules: 1 }) as const;

describe('Submitter, when the log misbehaves', () => {
  it('sends again after a lost answer, and the copy does nothing', async () => {
    const { state, wrap } = faulty();
    const { submitter, graph, log } = await running({ wrap });
    state.fault = 'stored';
    const written = await submitter.submit(draft(), context);
    expect(written.position.offset).toBe(2);
    state.fault = 'none';
    expect(await graph.reflog(app, { limit: 10 })).toHaveLength(2);
    expect(await log.end(0)).toBe(3);
  });

  it('sends the same bytes again until they stand', async () => {
    const { state, wrap } = faulty();
    const { submitter, graph, log } = await running({ wrap });
    state.fault = 'lost';
    const submitted = submitter.submit(draft(), context);
    await new Promise((resolve) => void setTimeout(resolve, 120));
    state.fault = 'none';
    await submitted;
    expect(state.appends).toBeGreaterThan(2);
    expect(await graph.ref(app, main)).toMatchObject({ commit: next.id });
    expect(await log.end(0)).toBe(3);
  });

  it('sends again what was acknowledged and never stored', async () => {
    const { state, wrap } = faulty();
    const { submitter, log } = await running({ wrap });
    state.fault = 'vanishes';
    const submitted = submitter.submit(draft(), context);
    await new Promise((resolve) => void setTimeout(resolve, 50));
    state.fault = 'none';
    await submitted;
    const txids = (await recordsOf(log))
      .map(({ bytes }) => decodeEvent(bytes))
      .map((d) => d.type === 'event' && d.event.txid);
    expect(new Set(txids).size).toBe(txids.length);
  });

  it('says that it does not know, with the transaction, when the time is up', async () => {
    const { state, wrap } = faulty();
    const { submitter, graph } = await running({ wrap, outcomeWaitMs: 150 });
    state.fault = 'lost';
    const unknown = submitter.submit(draft(), keyed);
    await expect(unknown).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      detail: { txid: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(await graph.ref(app, main)).toMatchObject({ commit: genesis.id });
    // The same call again, to a log that is back, is the same transaction.
    state.fault = 'none';
    expect((await submitter.submit(draft(), keyed)).replayed).toBe(false);
  });

  it('waits no longer than the caller, and says that it may still happen', async () => {
    const { state, wrap } = faulty();
    const { submitter } = await running({ wrap });
    state.fault = 'lost';
    const leaving = new AbortController();
    const submitted = submitter.submit(draft(), { ...context, signal: leaving.signal });
    setTimeout(() => leaving.abort(), 20);
    await expect(submitted).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('passes on that the log is full: nothing was appended', async () => {
    const { state, wrap } = faulty();
    const { submitter, log } = await running({ wrap });
    state.fault = 'full';
    await expect(submitter.submit(draft(), context)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(state.appends).toBe(2);
    expect(await log.end(0)).toBe(2);
  });

  it('does not say full when an earlier copy may stand', async () => {
    const { state, wrap } = faulty();
    const { submitter } = await running({ wrap, outcomeWaitMs: 300 });
    state.fault = 'lost';
    const submitted = submitter.submit(draft(), context);
    setTimeout(() => (state.fault = 'full'), 30);
    await expect(submitted).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  });

  it('says that fences have passed the record, when they have', async () => {
    const { submitter, log, projector } = await running();
    const fence = (n: number) =>
      ({ type: 'gc.fence.v1', txid: txidOf(`fence ${n}`), gcEpoch: n - 1, gcId: `g${n}`, blobs: [] }) as const;
    await log.append(0, [recordBytes(fence(1)), recordBytes(fence(2))]);
    await projector.caughtUp();
    const stale = submitter.submit(draft({ gcEpoch: 0 }), context);
    await expect(stale).rejects.toMatchObject({ code: 'GC_EPOCH_STALE', detail: { gcEpoch: 0, current: 2 } });
    await submitter.submit(draft({ gcEpoch: 1 }), context);
  });
});
