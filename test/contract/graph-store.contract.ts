import { digestOf, hexOf } from '#core/digest';
import type { Event, GcFence } from '#core/event';
import { newPartition } from '#core/graph-row';
import { branchRef, parseRepositoryName, tagRef } from '#core/name';
import { emptyStateDigest } from '#core/state-digest';
import type { AppliedNotice, Checkpoint, GraphStore } from '#ports/graph-store';
import { project, type ProjectionTarget } from '#projection/project';
import {
  absent,
  activation,
  app,
  commitBatch,
  commitOn,
  documentBlob,
  layerBlob,
  main,
  move,
  recordBytes,
  refUpdate,
  repoCreate,
  txidOf,
} from '../fixture/event-builder.js';
import type { Case } from './describe-each.js';

const dev = branchRef('dev');
const v1 = tagRef('v1');
const base = layerBlob('base');
const top = layerBlob('top', 'i1', 500);
const config = documentBlob('config');
const manifest = documentBlob('manifest');
const v1Id = 'c0ffee'.padEnd(64, '0');

const root = commitOn([], 'root', { layers: [base.diffId], origin: { v1Id } });
const second = commitOn([root], 'second', { layers: [top.diffId], config: config.digest });
const image = commitOn([second], 'image', {
  config: config.digest,
  manifest: { mediaType: 'application/json', digest: manifest.digest, size: manifest.size },
});
const side = commitOn([root], 'side');
const merge = commitOn([image, side], 'merge');

/** A small history that has one of everything. */
const history: readonly Event[] = [
  activation,
  repoCreate(txidOf('create'), { commits: [root], blobs: [base], updates: [move(main, absent, root.id)] }),
  commitBatch(txidOf('batch'), { commits: [second, side], blobs: [top, config] }),
  refUpdate(txidOf('up'), [move(main, { commit: root.id, version: 1 }, second.id)], {
    reason: 'why',
    operation: 'commit',
  }),
  refUpdate(txidOf('stale'), [move(main, { commit: root.id, version: 1 }, side.id)]),
  refUpdate(txidOf('both'), [move(main, { commit: second.id, version: 2 }, merge.id), move(dev, absent, side.id)], {
    commits: [image, merge],
    blobs: [manifest],
  }),
  refUpdate(txidOf('tag'), [move(v1, absent, image.id)]),
  refUpdate(txidOf('gone'), [move(dev, { commit: side.id, version: 4 }, null)]),
];

const fence = (n: number, blobs: GcFence['blobs']): Event => ({
  type: 'gc.fence.v1',
  gcId: `g${n}`,
  gcEpoch: n - 1,
  txid: txidOf(`fence ${n}`),
  blobs,
});
const sweep = (gcEpoch: number, blobs: GcFence['blobs']): Event => ({
  type: 'blob.swept.v1',
  gcId: 'g1',
  gcEpoch,
  txid: txidOf(`swept ${gcEpoch}`),
  blobs,
});

/** What every GraphStore keeps true. A new adapter is done when this passes. */
export const graphStoreContract: readonly Case<GraphStore>[] = [
  {
    title: 'is empty before the first record',
    async run(graph) {
      expect(await graph.checkpoint(0)).toEqual({
        offset: -1,
        recordDigest: '',
        stateDigest: emptyStateDigest,
        partition: newPartition,
      });
      expect(await graph.repositories()).toEqual([]);
      expect(await graph.repository(app)).toBeUndefined();
      expect(await graph.ref(app, main)).toBeUndefined();
      expect(await graph.refs(app)).toEqual([]);
      expect(await graph.reflog(app, { limit: 10 })).toEqual([]);
      expect(await graph.reflogAt(app, main, 0)).toBeUndefined();
      expect(await graph.commit(app, root.id)).toBeUndefined();
      expect(await graph.commitAt(app, 0)).toBeUndefined();
      expect(await graph.commitBytes(app, root.id)).toBeUndefined();
      expect(await graph.commits(app, { limit: 10 })).toEqual([]);
      expect(await graph.commitsByPrefix(app, 'a', 10)).toEqual([]);
      expect(await graph.aliasesByPrefix(app, 'a', ['v1'], 10)).toEqual([]);
      expect(await graph.layer(app, base.diffId)).toBeUndefined();
      expect(await graph.blob(app, base.digest)).toBeUndefined();
      expect(await graph.outcome(0, txidOf('create'))).toBeUndefined();
      // Whatever somebody takes for a transaction.
      for (const text of ['', 'none', 'abcd', 'ab'.repeat(40)]) expect(await graph.outcome(0, text)).toBeUndefined();
    },
  },
  {
    title: 'applies a batch and its checkpoint together',
    async run(graph) {
      const checkpoint = await foldAll(graph, history);
      const partition = { rules: 1, gcEpoch: 0, fencedAt: 0, time: 700 };
      expect(checkpoint).toMatchObject({ offset: 7, recordDigest: hexOf(digestOf(bytesAt(7))), partition });
      expect(await graph.repository(app)).toEqual({
        repo: app,
        generation: 1,
        defaultBranch: main,
        moves: 6,
        commits: 5,
        floor: 0,
        createdAt: 100,
      });
    },
  },
  {
    title: 'refuses a batch from another offset, also one that ends where it is, and changes nothing',
    async run(graph) {
      const before = await foldAll(graph, history.slice(0, 4));
      for (const [previousOffset, offset] of [
        [-1, 3],
        [2, 3],
        [4, 9],
      ] as const) {
        const batch = { previousOffset, offset, recordDigest: 'x', stateDigest: 'y' };
        const change = {
          type: 'repository',
          before: null,
          after: { ...anyRepository, repo: parseRepositoryName('other') },
        } as const;
        expect(await graph.apply(0, { ...batch, changes: [change] })).toBe(false);
      }
      expect(await graph.checkpoint(0)).toEqual(before);
      expect(await graph.repositories()).toHaveLength(1);
    },
  },
  {
    title: 'applies all of a batch or nothing: a change that cannot be made takes back those before it',
    gap: 'rollback',
    async run(graph) {
      const before = await foldAll(graph, history.slice(0, 4));
      const other = { ...anyRepository, repo: parseRepositoryName('other') };
      const impossible = {
        type: 'ref',
        repo: parseRepositoryName('nowhere'),
        ref: main,
        before: null,
        after: absent,
      } as const;
      const changes = [{ type: 'repository', before: null, after: other } as const, impossible];
      const batch = { previousOffset: 3, offset: 4, recordDigest: 'x', stateDigest: 'y', changes };
      await expect(graph.apply(0, batch)).rejects.toMatchObject({ code: 'INTERNAL' });
      expect(await graph.checkpoint(0)).toEqual(before);
      expect(await graph.repository(other.repo)).toBeUndefined();
      // What it remembers in passing is taken back too: another repository may get what the first one had.
      expect((await foldAll(graph, history.slice(4), 4)).offset).toBe(7);
    },
  },
  {
    title: 'is the same however records are batched, and when it is made again',
    async run(graph) {
      const whole = await foldAll(graph, history);
      const generation = await graph.beginGeneration();
      for (let at = 0; at < history.length; at += 1) await foldAll(generation, history.slice(at, at + 1), at);
      expect(await generation.checkpoint(0)).toEqual(whole);
      await generation.promote();
      await expectEverything(graph);
    },
  },
  {
    title: 'finds everything by every name',
    async run(graph) {
      await foldAll(graph, history);
      await expectEverything(graph);
    },
  },
  {
    title: 'keeps outcomes, accepted and rejected, as they were first decided',
    async run(graph) {
      await foldAll(graph, history);
      expect(await graph.outcome(0, txidOf('up'))).toEqual({
        txid: txidOf('up'),
        repo: app,
        request: null,
        offset: 3,
        time: 300,
        stretch: 0,
        outcome: { type: 'accepted', commits: [], moves: [{ ref: main, commit: second.id, version: 2 }] },
      });
      const stale = await graph.outcome(0, txidOf('stale'));
      expect(stale).toMatchObject({ offset: 4, outcome: { type: 'rejected', code: 'REF_STALE' } });
      expect(stale?.outcome).toMatchObject({ detail: { actual: { commit: second.id, version: 2 } } });
    },
  },
  {
    title: 'tells an outcome, and that there is none, with the checkpoint it is of',
    async run(graph) {
      const txid = txidOf('rules');
      expect(await graph.outcomeAt(0, txid)).toEqual({ checkpoint: await graph.checkpoint(0), row: undefined });
      await foldAll(graph, history);
      const checkpoint = await graph.checkpoint(0);
      expect(await graph.outcomeAt(0, txid)).toEqual({ checkpoint, row: await graph.outcome(0, txid) });
      expect(await graph.outcomeAt(0, txidOf('nothing'))).toEqual({ checkpoint, row: undefined });
      expect(await graph.outcomeAt(0, 'no txid')).toEqual({ checkpoint, row: undefined });
    },
  },
  {
    title: 'pages commits and the reflog from the newest on',
    async run(graph) {
      await foldAll(graph, history);
      const ids = async (page: { before?: number; limit: number }) =>
        (await graph.commits(app, page)).map(({ seq }) => seq);
      expect(await ids({ limit: 2 })).toEqual([4, 3]);
      expect(await ids({ before: 3, limit: 2 })).toEqual([2, 1]);
      expect(await ids({ before: 0, limit: 2 })).toEqual([]);
      const versions = async (page: { before?: number; limit: number; ref?: typeof main }) =>
        (await graph.reflog(app, page)).map(({ version }) => version);
      expect(await versions({ limit: 3 })).toEqual([6, 5, 4]);
      expect(await versions({ before: 4, limit: 3 })).toEqual([3, 2, 1]);
      expect(await versions({ ref: main, limit: 2 })).toEqual([3, 2]);
      expect(await versions({ ref: main, before: 2, limit: 2 })).toEqual([1]);
      expect(await versions({ ref: dev, limit: 9 })).toEqual([6, 4]);
    },
  },
  {
    title: 'knows the refs as they were after any move, also those that are deleted now',
    async run(graph) {
      await foldAll(graph, history);
      const after = async (version: number) =>
        (await graph.refs(app, version)).map(({ ref, value }) => [ref, value.commit, value.version]);
      expect(await after(0)).toEqual([]);
      expect(await after(1)).toEqual([[main, root.id, 1]]);
      expect(await after(4)).toEqual([[dev, side.id, 4], [main, merge.id, 3]]); // prettier-ignore
      expect(await after(5)).toEqual([[dev, side.id, 4], [main, merge.id, 3], [v1, image.id, 5]]); // prettier-ignore
      expect(await graph.refs(app, 6)).toEqual(await graph.refs(app));
      expect(await graph.refs(app, 1_000)).toEqual(await graph.refs(app));
      expect(await graph.refs(parseRepositoryName('nowhere'), 1)).toEqual([]);
    },
  },
  {
    title: 'keeps repositories apart',
    async run(graph) {
      const other = parseRepositoryName('other');
      const ownDev = refUpdate(txidOf('theirs'), [move(dev, absent, side.id)], { repo: other });
      await foldAll(graph, [...history, repoCreate(txidOf('other'), { repo: other }), ownDev]);
      expect((await graph.repositories()).map(({ repo }) => repo)).toEqual([other, app]);
      expect(await graph.refs(other)).toEqual([]);
      expect(await graph.commit(other, side.id)).toBeUndefined();
      expect(await graph.commitsByPrefix(other, side.id.slice(0, 8), 9)).toEqual([]);
      expect(await graph.aliasesByPrefix(other, v1Id.slice(0, 8), ['v1'], 9)).toEqual([]);
      expect(await graph.reflog(other, { limit: 9 })).toEqual([]);
      // Layers and blobs belong to the partition.
      expect(await graph.layer(other, base.diffId)).toEqual(await graph.layer(app, base.diffId));
    },
  },
  {
    title: 'retires copies of a blob, prefers a live one, and forgets one that was swept',
    async run(graph) {
      const again = layerBlob('base', 'i2');
      const bind = commitBatch(txidOf('again'), { blobs: [again] });
      let at = history.length;
      const next = async (event: Event) => foldAll(graph, [event], at++);
      await foldAll(graph, history);
      await next(fence(1, [copyOf(base)]));
      expect(await graph.blob(app, base.digest)).toMatchObject({ retiredEpoch: 1, sweptEpoch: null });
      await next(sweep(1, [copyOf(base)]));
      expect(await graph.blob(app, base.digest)).toMatchObject({ incarnation: 'i1', retiredEpoch: 1, sweptEpoch: 1 });
      await next(bind);
      expect(await graph.blob(app, base.digest)).toMatchObject({ incarnation: 'i2', retiredEpoch: null });
      expect((await graph.layer(app, base.diffId))?.encodings).toEqual([copyOf(base), copyOf(again)]);
      await next(fence(2, []));
      await next(fence(3, [copyOf(again)]));
      expect((await graph.blob(app, base.digest))?.incarnation).toBe('i1');
      await next(sweep(3, [copyOf(base)]));
      expect(await graph.blob(app, base.digest)).toMatchObject({ incarnation: 'i2', retiredEpoch: 3 });
    },
  },
  {
    title: 'tells all copies of a blob, and pages those that were retired before anything named them',
    async run(graph) {
      const again = layerBlob('base', 'i2');
      const strays = ['x', 'y', 'z'].map((name) => copyOf(layerBlob(name)));
      const ordered = [copyOf(again), ...strays].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      const { length } = history;
      await foldAll(graph, history);
      expect(await graph.retiredCopies(0, { limit: 10 })).toEqual([]);
      await foldAll(graph, [fence(1, [copyOf(base), ...ordered])], length);

      const unnamed = ordered.map((copy) => ({ ...copy, size: 0, mediaType: '', retiredEpoch: 1, sweptEpoch: null }));
      expect(await graph.retiredCopies(0, { limit: 10 })).toEqual(unnamed);
      const first = await graph.retiredCopies(0, { limit: 3 });
      expect(first).toEqual(unnamed.slice(0, 3));
      expect(await graph.retiredCopies(0, { after: first[2], limit: 3 })).toEqual(unnamed.slice(3));
      expect(await graph.copies(0, [base.digest, top.digest, digestOf('nothing')])).toEqual([
        expect.objectContaining({ ...copyOf(base), size: base.size, retiredEpoch: 1 }),
        expect.objectContaining({ ...copyOf(again), mediaType: '', retiredEpoch: 1 }),
        expect.objectContaining({ ...copyOf(top), retiredEpoch: null }),
      ]);
      // Readers are given the copy that was named, and none of what never was.
      expect(await graph.blob(app, base.digest)).toMatchObject({ incarnation: 'i1' });
      expect(await graph.blob(app, (strays[0] as typeof base).digest)).toBeUndefined();

      await foldAll(graph, [sweep(1, ordered.slice(1))], length + 1);
      const told = unnamed.map((row, i) => (i === 0 ? row : { ...row, sweptEpoch: 1 }));
      expect(await graph.retiredCopies(0, { limit: 10 })).toEqual(told);
      await foldAll(graph, [fence(2, []), fence(3, []), sweep(3, ordered.slice(1))], length + 2);
      expect(await graph.retiredCopies(0, { limit: 10 })).toEqual(unnamed.slice(0, 1));
      const fencedAt = (length + 3) * 100;
      expect((await graph.checkpoint(0)).partition).toMatchObject({
        rules: 1,
        gcEpoch: 3,
        fencedAt,
        time: fencedAt + 100,
      });
    },
  },
  {
    title: 'forgets outcomes with the third fence after them, however many they are, and no others',
    async run(graph) {
      const batches = (epoch: number, count: number) =>
        Array.from({ length: count }, (_, n) =>
          commitBatch(txidOf(`${epoch} ${n}`), { gcEpoch: epoch, blobs: [layerBlob(`${epoch}`)] }),
        );
      // More than one batch removes.
      const crowd = batches(0, 700);
      const hours = 3_600_000;
      await foldAll(graph, history, 0, hours);
      await foldAll(graph, crowd, history.length, hours);
      let at = history.length + crowd.length;
      const next = async (...events: readonly Event[]) => {
        await foldAll(graph, events, at, hours);
        at += events.length;
      };
      const known = async (epoch: number) => (await graph.outcome(0, txidOf(`${epoch} 7`)))?.stretch;
      await next(fence(1, []), ...batches(1, 40));
      await next(fence(2, []), ...batches(2, 40));
      expect(await known(0)).toBe(0);
      expect(await graph.outcome(0, txidOf('up'))).toBeDefined();
      await next(fence(3, []));
      expect([await known(0), await known(1), await known(2)]).toEqual([undefined, 1, 2]);
      expect(await graph.outcome(0, txidOf('up'))).toBeUndefined();
      // Its own outcome is of the epoch that it begins.
      expect(await graph.outcome(0, txidOf('fence 1'))).toMatchObject({ stretch: 1 });
      const { partition } = await graph.checkpoint(0);
      expect(partition).toMatchObject({ gcEpoch: 3, stretches: [{ since: 708 }, { since: 749 }, { since: 790 }] });

      // A key that is used again after so long is a new transaction; what it does, it does once.
      const again = commitBatch(txidOf('0 7'), { gcEpoch: 3, blobs: [layerBlob('again')] });
      await next(again, again);
      expect(await graph.outcome(0, txidOf('0 7'))).toMatchObject({ stretch: 3, offset: 791 });
      const day = (n: number) => batches(n, 24).map((batch, i) => ({ ...batch, txid: txidOf(`day ${n} ${i}`) }));
      await next(fence(4, []), ...day(4), fence(5, []));
      expect([await known(0), await known(1), await known(2)]).toEqual([3, undefined, undefined]);
      await next(...day(5), fence(6, []), fence(7, []));
      expect([await known(0), await known(1), await known(2)]).toEqual([undefined, undefined, undefined]);

      const live = await graph.checkpoint(0);
      const generation = await graph.beginGeneration();
      const events = [
        ...history,
        ...crowd,
        fence(1, []),
        ...batches(1, 40),
        fence(2, []),
        ...batches(2, 40),
        fence(3, []),
      ];
      const rest = [again, again, fence(4, []), ...day(4), fence(5, []), ...day(5), fence(6, []), fence(7, [])];
      await foldAll(generation, [...events, ...rest], 0, hours);
      expect(await generation.checkpoint(0)).toEqual(live);
      await generation.promote();
      expect(await graph.outcome(0, txidOf('fence 5'))).toMatchObject({ stretch: 4 });
      expect(await graph.outcome(0, txidOf('0 7'))).toBeUndefined();
    },
  },
  {
    title: 'keeps outcomes for a day, however many collections pass, in a few stretches',
    async run(graph) {
      const fences = Array.from({ length: 60 }, (_, n) => fence(n + 1, []));
      const hour = 3_600_000;
      await foldAll(graph, [...history, ...fences], 0, hour);
      const { partition } = await graph.checkpoint(0);
      expect(partition).toMatchObject({ gcEpoch: 60 });
      expect(partition.stretches.length).toBeLessThan(8);
      expect(await graph.outcome(0, txidOf('up'))).toBeUndefined();
      for (const age of [0, 5, 20]) expect(await graph.outcome(0, txidOf(`fence ${60 - age}`))).toBeDefined();
    },
  },
  {
    title: 'begins one epoch for each collection, however many fences it needs',
    async run(graph) {
      const more: Event = { ...(fence(1, [copyOf(top)]) as GcFence), txid: txidOf('more'), gcEpoch: 1 };
      await foldAll(graph, [...history, fence(1, [copyOf(base)]), more]);
      expect((await graph.checkpoint(0)).partition).toMatchObject({ gcEpoch: 1 });
      for (const { digest } of [base, top]) expect(await graph.blob(app, digest)).toMatchObject({ retiredEpoch: 1 });
    },
  },
  {
    title: 'tells those who listen what was applied, and only that',
    async run(graph) {
      const notices: AppliedNotice[] = [];
      const stop = graph.onApplied((notice) => void notices.push(notice));
      await foldAll(graph, history.slice(0, 3));
      await graph.apply(0, { previousOffset: 9, offset: 10, recordDigest: '', stateDigest: '', changes: [] });
      expect(notices).toMatchObject([{ partition: 0, offset: 2 }]);
      expect(notices[0]?.outcomes.map(({ txid }) => txid)).toEqual([
        txidOf('rules'),
        txidOf('create'),
        txidOf('batch'),
      ]);
      stop();
      await foldAll(graph, history.slice(3), 3);
      expect(notices).toHaveLength(1);
    },
  },
  {
    title: 'shows nothing of a generation before it is promoted, and everything after',
    async run(graph) {
      await foldAll(graph, history.slice(0, 2));
      const generation = await graph.beginGeneration();
      expect((await generation.checkpoint(0)).offset).toBe(-1);
      await foldAll(generation, history);
      expect((await graph.checkpoint(0)).offset).toBe(1);
      expect(await graph.ref(app, main)).toEqual({ commit: root.id, version: 1 });
      expect(await generation.promote()).toBe(true);
      await expectEverything(graph);
      // And it goes on from there.
      expect((await foldAll(graph, [commitBatch(txidOf('more'), { blobs: [layerBlob('more')] })], 8)).offset).toBe(8);
    },
  },
  {
    title: 'does not go back to a generation that is behind',
    async run(graph) {
      const generation = await graph.beginGeneration();
      await foldAll(generation, history.slice(0, 3));
      await foldAll(graph, history);
      expect(await generation.promote()).toBe(false);
      await expectEverything(graph);
      await foldAll(generation, history.slice(3), 3);
      expect(await generation.promote()).toBe(true);
      await expectEverything(graph);
    },
  },
  {
    title: 'leaves nothing of a generation that is discarded, and begins another one empty',
    async run(graph) {
      await foldAll(graph, history.slice(0, 2));
      const discarded = await graph.beginGeneration();
      await foldAll(discarded, history);
      await discarded.discard();
      await discarded.discard();
      expect((await graph.checkpoint(0)).offset).toBe(1);
      const another = await graph.beginGeneration();
      expect((await another.checkpoint(0)).offset).toBe(-1);
      await foldAll(another, history);
      await another.promote();
      await expectEverything(graph);
    },
  },
  {
    title: 'keeps everything when it is opened again, and nothing of an unfinished generation',
    gap: 'reopen',
    async run(graph, place) {
      const before = await foldAll(graph, history);
      await foldAll(await graph.beginGeneration(), history.slice(0, 3));
      const again = await place.reopen();
      expect(await again.checkpoint(0)).toEqual(before);
      await expectEverything(again);
      expect((await (await again.beginGeneration()).checkpoint(0)).offset).toBe(-1);
    },
  },
  {
    title: 'keeps a promoted generation when it is opened again',
    gap: 'reopen',
    async run(graph, place) {
      const generation = await graph.beginGeneration();
      await foldAll(generation, history);
      await generation.promote();
      await expectEverything(await place.reopen());
    },
  },
];

async function expectEverything(graph: GraphStore): Promise<void> {
  const row = await graph.commit(app, merge.id);
  expect(row).toMatchObject({ id: merge.id, seq: 4, parents: [3, 2], depth: 3, stackLayers: 2, offset: 5 });
  expect(row).toMatchObject({ ownBytes: 0, virtualBytes: 1524 });
  expect(await graph.commitAt(app, 4)).toEqual(row);
  expect(await graph.commitAt(app, 5)).toBeUndefined();
  expect(Buffer.from((await graph.commitBytes(app, second.id)) ?? [])).toEqual(Buffer.from(second.bytes));
  const [found, ...others] = await graph.commitsByPrefix(app, side.id.slice(0, 7), 10);
  expect(found?.id).toBe(side.id);
  expect(others).toEqual([]);
  const all = (await graph.commitsByPrefix(app, '', 10)).map(({ id }) => id);
  expect(all).toEqual([root, second, side, image, merge].map(({ id }) => id).toSorted());
  expect(await graph.commitsByPrefix(app, '', 2)).toHaveLength(2);

  expect(await graph.aliasesByPrefix(app, v1Id.slice(0, 6), ['v1'], 9)).toEqual([
    { repo: app, kind: 'v1', hex: v1Id, commit: root.id, seq: 0 },
  ]);
  expect(await graph.aliasesByPrefix(app, v1Id.slice(0, 6), ['manifest', 'config'], 9)).toEqual([]);
  const configs = await graph.aliasesByPrefix(app, hexOf(config.digest).slice(0, 12), ['config', 'diff'], 9);
  expect(configs.map(({ kind, seq }) => [kind, seq])).toEqual([['config', 1], ['config', 3]]); // prettier-ignore
  expect(await graph.aliasesByPrefix(app, hexOf(config.digest), ['config'], 1)).toMatchObject([{ seq: 1 }]);
  expect(await graph.aliasesByPrefix(app, hexOf(manifest.digest), ['manifest'], 9)).toMatchObject([
    { commit: image.id },
  ]);
  expect(await graph.aliasesByPrefix(app, hexOf(top.diffId), ['diff'], 9)).toMatchObject([{ commit: second.id }]);
  // A stack of one layer has the layer's digest as its chainID.
  expect(await graph.aliasesByPrefix(app, hexOf(base.diffId), ['chain'], 9)).toMatchObject([{ commit: root.id }]);

  expect(await graph.ref(app, main)).toEqual({ commit: merge.id, version: 3 });
  expect(await graph.ref(app, dev)).toEqual({ commit: null, version: 6 });
  expect(await graph.refs(app)).toEqual([
    { ref: main, value: { commit: merge.id, version: 3 } },
    { ref: v1, value: { commit: image.id, version: 5 } },
  ]);
  expect(await graph.reflogAt(app, main, 1)).toEqual({
    repo: app,
    ref: main,
    version: 2,
    from: root.id,
    to: second.id,
    operation: 'commit',
    reason: 'why',
    actor: { name: 'tester', verified: false },
    txid: txidOf('up'),
    offset: 3,
    time: 300,
  });
  expect(await graph.reflogAt(app, main, 3)).toBeUndefined();
  expect(await graph.reflogAt(app, dev, 0)).toMatchObject({ from: side.id, to: null });
  const { digest, incarnation } = top;
  expect(await graph.layer(app, top.diffId)).toEqual({
    diffId: top.diffId,
    tarBytes: 500,
    encodings: [{ digest, incarnation }],
  });
  expect(await graph.blob(app, config.digest)).toEqual({
    digest: config.digest,
    incarnation: 'i1',
    size: 100,
    mediaType: 'application/json',
    retiredEpoch: null,
    sweptEpoch: null,
  });
}

const anyRepository = { generation: 1, defaultBranch: main, moves: 0, commits: 0, floor: 0, createdAt: 0 };

function bytesAt(offset: number): Uint8Array {
  return recordBytes(history[offset] as Event);
}

/** Folds the events as the records from `first` on, so many ms apart, in one batch. */
async function foldAll(
  target: ProjectionTarget,
  events: readonly Event[],
  first = 0,
  apartMs = 100,
): Promise<Checkpoint> {
  const from = await target.checkpoint(0);
  expect(from.offset).toBe(first - 1);
  const records = events.map((event, i) => ({
    offset: first + i,
    time: (first + i) * apartMs,
    bytes: recordBytes(event),
  }));
  await project(target, 0, from, records);
  return target.checkpoint(0);
}

function copyOf({ digest, incarnation }: ReturnType<typeof layerBlob>) {
  return { digest, incarnation };
}
