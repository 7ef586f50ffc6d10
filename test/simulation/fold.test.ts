import { coalesce } from '#core/coalesce';
import { type EncodedCommit, genesis } from '#core/commit';
import { chainIdOf, digestOf, type DiffId } from '#core/digest';
import type { Event, NamedBlob } from '#core/event';
import { Step } from '#core/fold-step';
import { limit } from '#core/limit';
import { branchRef, parseRepositoryName, tagRef } from '#core/name';
import type { RefUpdate } from '#core/ref';
import {
  absent,
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
  tester,
  txidOf,
} from '../fixture/event-builder.js';
import { FoldedWorld } from '../fixture/folded-world.js';

const dev = branchRef('dev');
const v1 = tagRef('v1');
const layer = layerBlob('base');
const config = documentBlob('config');
const manifest = documentBlob('manifest');

const a = genesis;
const b = commitOn([a], 'b');
const c = commitOn([b], 'c');
const side = commitOn([a], 'side');
const stranger = commitOn([], 'never proposed');

const at = ({ id }: EncodedCommit, version: number) => ({ commit: id, version });
const create = repoCreate(txidOf('create'), { commits: [a], updates: [move(main, absent, a.id)] });
const commits = commitBatch(txidOf('commits'), { commits: [b, c, side] });
const update = (...updates: RefUpdate[]) => refUpdate(txidOf('it'), updates);
const copiesOf = (blobs: readonly NamedBlob[]) => blobs.map(({ digest, incarnation }) => ({ digest, incarnation }));
const retire = (n: number, ...blobs: readonly NamedBlob[]): Event => ({
  type: 'gc.fence.v1',
  txid: txidOf(`fence ${n}`),
  gcEpoch: n - 1,
  gcId: `g${n}`,
  blobs: copiesOf(blobs),
});
const sweep = (n: number, ...blobs: readonly NamedBlob[]): Event => ({
  type: 'blob.swept.v1',
  txid: txidOf(`sweep ${n}`),
  gcEpoch: n,
  gcId: 'g',
  blobs: copiesOf(blobs),
});
const cancel = (target: string, name = 'cancel'): Event => ({
  type: 'tx.cancel.v1',
  txid: txidOf(name),
  repo: app,
  actor: tester,
  request: null,
  gcEpoch: 0,
  target,
  targetEpoch: 0,
});

type Expected = { accepted: object } | { rejected: string; detail?: object };
const accepted = (outcome: object = {}): Expected => ({ accepted: outcome });
const rejected = (code: string, detail: object = {}): Expected => ({ rejected: code, detail });

interface Row {
  readonly title: string;
  readonly given: readonly Event[];
  readonly when: Event;
  readonly outcome: Expected;
}

const rows: readonly Row[] = [
  // Repositories.
  {
    title: 'a repository is made with its first commit and branch in one record',
    given: [],
    when: create,
    outcome: accepted({ commits: [a.id], moves: [{ ref: main, commit: a.id, version: 1 }] }),
  },
  {
    title: 'the first creation wins',
    given: [create],
    when: repoCreate(txidOf('again')),
    outcome: rejected('REPOSITORY_EXISTS', { repository: app }),
  },
  {
    title: 'a creation whose ref cannot be set makes nothing',
    given: [],
    when: repoCreate(txidOf('it'), { commits: [a], updates: [move(main, absent, stranger.id)] }),
    outcome: rejected('COMMIT_UNKNOWN', { commit: stranger.id }),
  },
  {
    title: 'commits need a repository',
    given: [],
    when: commitBatch(txidOf('it'), { commits: [a] }),
    outcome: rejected('REPOSITORY_UNKNOWN', { repository: app }),
  },

  // Commits and closure.
  {
    title: 'a commit may follow its parent in the same record',
    given: [create],
    when: commitBatch(txidOf('it'), { commits: [b, c] }),
    outcome: accepted({ commits: [b.id, c.id] }),
  },
  {
    title: 'a commit before its parent is refused, with all of its record',
    given: [create],
    when: commitBatch(txidOf('it'), { commits: [side, c, b] }),
    outcome: rejected('COMMIT_UNKNOWN', { commit: c.id, parent: b.id }),
  },
  {
    title: 'a commit that is there already is not made again',
    given: [create, commits],
    when: commitBatch(txidOf('it'), { commits: [b, commitOn([c], 'd')] }),
    outcome: accepted({ commits: [commitOn([c], 'd').id] }),
  },
  {
    title: 'the images of an index must be there',
    given: [create],
    when: commitBatch(txidOf('it'), {
      commits: [
        commitOn([], 'index', {
          index: [{ platform: { architecture: 'a', os: 'l', variant: null }, commit: stranger.id }],
        }),
      ],
    }),
    outcome: rejected('COMMIT_UNKNOWN', { image: stranger.id }),
  },
  {
    title: 'bytes that are no commit are refused',
    given: [create],
    when: commitBatch(txidOf('it'), { commits: [{ ...b, bytes: Buffer.from('{}') }] }),
    outcome: rejected('COMMIT_INVALID'),
  },
  {
    title: 'a layer may be named in the record of its commit',
    given: [create],
    when: commitBatch(txidOf('it'), { commits: [commitOn([a], 'l', { layers: [layer.diffId] })], blobs: [layer] }),
    outcome: accepted(),
  },
  {
    title: 'a layer may be bound by an earlier record, also of another repository',
    given: [
      create,
      repoCreate(txidOf('other'), { repo: parseRepositoryName('other') }),
      commitBatch(txidOf('bind'), { repo: parseRepositoryName('other'), blobs: [layer] }),
    ],
    when: commitBatch(txidOf('it'), { commits: [commitOn([a], 'l', { layers: [layer.diffId] })] }),
    outcome: accepted(),
  },
  {
    title: 'a layer that nobody named is missing',
    given: [create],
    when: commitBatch(txidOf('it'), { commits: [commitOn([a], 'l', { layers: [layer.diffId] })] }),
    outcome: rejected('BLOB_MISSING', { digest: layer.diffId }),
  },
  {
    title: 'a blob that holds a layer only when it is unpacked is not that layer',
    given: [create],
    when: commitBatch(txidOf('it'), {
      commits: [commitOn([a], 'l', { layers: [layer.digest as DiffId] })],
      blobs: [{ ...layer, layer: null }],
    }),
    outcome: rejected('BLOB_MISSING', { digest: layer.digest }),
  },
  {
    title: 'a config that is not stored is missing',
    given: [create],
    when: commitBatch(txidOf('it'), { commits: [commitOn([a], 'l', { config: config.digest })] }),
    outcome: rejected('BLOB_MISSING', { digest: config.digest }),
  },
  {
    title: 'a manifest that is not stored is missing',
    given: [create],
    when: commitBatch(txidOf('it'), {
      commits: [commitOn([a], 'l', { manifest: { mediaType: 'm', digest: manifest.digest, size: 1 } })],
    }),
    outcome: rejected('BLOB_MISSING', { digest: manifest.digest }),
  },
  {
    title: 'one digest has one size',
    given: [create, commitBatch(txidOf('bind'), { blobs: [layer] })],
    when: commitBatch(txidOf('it'), { blobs: [{ ...layerBlob('base', 'i2'), size: 7 }] }),
    outcome: rejected('SIZE_MISMATCH', { expected: 1024, actual: 7 }),
  },
  {
    title: 'one layer has one tar',
    given: [create, commitBatch(txidOf('bind'), { blobs: [layer] })],
    when: commitBatch(txidOf('it'), {
      blobs: [{ ...documentBlob('gzip'), layer: { diffId: layer.diffId, tarBytes: 7 } }],
    }),
    outcome: rejected('SIZE_MISMATCH', { diffId: layer.diffId }),
  },

  // Refs.
  {
    title: 'a branch is made, expecting none',
    given: [create],
    when: update(move(dev, absent, a.id)),
    outcome: accepted({ moves: [{ ref: dev, commit: a.id, version: 2 }] }),
  },
  {
    title: 'a branch moves forward with commits of its own record',
    given: [create],
    when: refUpdate(txidOf('it'), [move(main, at(a, 1), c.id)], { commits: [b, c] }),
    outcome: accepted({ commits: [b.id, c.id], moves: [{ ref: main, commit: c.id, version: 2 }] }),
  },
  {
    title: 'versions count the moves of the whole repository',
    given: [create, commits, refUpdate(txidOf('one'), [move(dev, absent, a.id)])],
    when: update(move(main, at(a, 1), b.id), move(v1, absent, b.id)),
    outcome: accepted({ moves: [expect.objectContaining({ version: 3 }), expect.objectContaining({ version: 4 })] }),
  },
  {
    title: 'a ref that is elsewhere is stale, and the answer tells both sides',
    given: [create, commits],
    when: update(move(main, at(b, 1), c.id)),
    outcome: rejected('REF_STALE', { ref: main, expected: at(b, 1), actual: at(a, 1) }),
  },
  {
    title: 'a ref that moved away and back is stale',
    given: [
      create,
      commits,
      refUpdate(txidOf('away'), [move(main, at(a, 1), b.id)]),
      refUpdate(txidOf('back'), [move(main, at(b, 2), a.id, 'force')]),
    ],
    when: update(move(main, at(a, 1), c.id)),
    outcome: rejected('REF_STALE', { expected: at(a, 1), actual: at(a, 3) }),
  },
  {
    title: 'a ref that was deleted is not as if it had never been',
    given: [
      create,
      refUpdate(txidOf('made'), [move(dev, absent, a.id)]),
      refUpdate(txidOf('gone'), [move(dev, at(a, 2), null)]),
    ],
    when: update(move(dev, absent, a.id)),
    outcome: rejected('REF_STALE', { actual: { commit: null, version: 3 } }),
  },
  {
    title: 'a ref that was deleted is made again, expecting its last version',
    given: [
      create,
      refUpdate(txidOf('made'), [move(dev, absent, a.id)]),
      refUpdate(txidOf('gone'), [move(dev, at(a, 2), null)]),
    ],
    when: update(move(dev, { commit: null, version: 3 }, a.id)),
    outcome: accepted({ moves: [{ ref: dev, commit: a.id, version: 4 }] }),
  },
  {
    title: 'a branch does not move sideways',
    given: [create, commits, refUpdate(txidOf('up'), [move(main, at(a, 1), c.id)])],
    when: update(move(main, at(c, 2), side.id)),
    outcome: rejected('NOT_FAST_FORWARD', { from: c.id, to: side.id, tooFar: false }),
  },
  {
    title: 'a branch does not move back',
    given: [create, commits, refUpdate(txidOf('up'), [move(main, at(a, 1), c.id)])],
    when: update(move(main, at(c, 2), a.id)),
    outcome: rejected('NOT_FAST_FORWARD'),
  },
  {
    title: 'a branch moves back by force',
    given: [create, commits, refUpdate(txidOf('up'), [move(main, at(a, 1), c.id)])],
    when: update(move(main, at(c, 2), a.id, 'force')),
    outcome: accepted(),
  },
  {
    title: 'force does not help against a stale expectation',
    given: [create, commits],
    when: update(move(main, at(b, 1), c.id, 'force')),
    outcome: rejected('REF_STALE'),
  },
  {
    title: 'a target must be a commit of the repository',
    given: [create],
    when: update(move(main, at(a, 1), stranger.id, 'force')),
    outcome: rejected('COMMIT_UNKNOWN', { commit: stranger.id }),
  },
  {
    title: 'what is not there cannot be deleted',
    given: [create],
    when: update(move(dev, absent, null, 'force')),
    outcome: rejected('REF_UNKNOWN', { ref: dev }),
  },
  {
    title: 'a tag stays, also forward',
    given: [create, commits, refUpdate(txidOf('tag'), [move(v1, absent, a.id)])],
    when: update(move(v1, at(a, 2), b.id)),
    outcome: rejected('TAG_IMMUTABLE', { ref: v1 }),
  },
  {
    title: 'a tag is not deleted without force',
    given: [create, refUpdate(txidOf('tag'), [move(v1, absent, a.id)])],
    when: update(move(v1, at(a, 2), null)),
    outcome: rejected('TAG_IMMUTABLE'),
  },
  {
    title: 'a tag moves by force',
    given: [create, commits, refUpdate(txidOf('tag'), [move(v1, absent, c.id)])],
    when: update(move(v1, at(c, 2), side.id, 'force')),
    outcome: accepted({ moves: [{ ref: v1, commit: side.id, version: 3 }] }),
  },
  {
    title: 'of two moves one of which is stale, neither happens',
    given: [create, commits],
    when: update(move(main, at(a, 1), b.id), move(dev, at(a, 9), b.id)),
    outcome: rejected('REF_STALE', { ref: dev }),
  },

  // Garbage collection.
  {
    title: 'a retired copy is gone',
    given: [create, retire(1, layer)],
    when: commitBatch(txidOf('it'), { gcEpoch: 1, blobs: [layer] }),
    outcome: rejected('BLOB_GONE', { incarnation: 'i1' }),
  },
  {
    title: 'a commit whose only copies were retired is refused',
    given: [create, commitBatch(txidOf('bind'), { blobs: [layer] }), retire(1, layer)],
    when: commitBatch(txidOf('it'), { gcEpoch: 1, commits: [commitOn([a], 'l', { layers: [layer.diffId] })] }),
    outcome: rejected('BLOB_GONE', { digest: layer.diffId }),
  },
  {
    title: 'another copy of the same bytes serves',
    given: [create, commitBatch(txidOf('bind'), { blobs: [layer] }), retire(1, layer)],
    when: commitBatch(txidOf('it'), {
      gcEpoch: 1,
      commits: [commitOn([a], 'l', { layers: [layer.diffId] })],
      blobs: [layerBlob('base', 'i2')],
    }),
    outcome: accepted(),
  },
  {
    title: 'a copy that was swept is still retired, however long ago its fence was',
    given: [create, retire(1, layer), retire(2), retire(3), sweep(3, layer)],
    when: commitBatch(txidOf('it'), { gcEpoch: 3, blobs: [layer] }),
    outcome: rejected('BLOB_GONE'),
  },
  {
    title: 'a copy that is swept again too early is still retired',
    given: [create, retire(1, layer), sweep(1, layer), retire(2), sweep(2, layer)],
    when: commitBatch(txidOf('it'), { gcEpoch: 1, blobs: [layer] }),
    outcome: rejected('BLOB_GONE'),
  },
  {
    title: 'a proposal from the last fence but one is judged',
    given: [create, retire(1), retire(2)],
    when: commitBatch(txidOf('it'), { gcEpoch: 1, blobs: [config] }),
    outcome: accepted(),
  },

  // Transactions.
  {
    title: 'a transaction that is cancelled first never takes effect',
    given: [create, commits],
    when: cancel(txidOf('it')),
    outcome: accepted({ commits: [], moves: [] }),
  },
];

describe('decide', () => {
  it.each(rows.map((row) => [row.title, row] as const))('%s', async (_title, { given, when, outcome }) => {
    const world = await FoldedWorld.given(...given);
    const before = world.facts.changes.length;
    const row = world.see(when);
    if ('accepted' in outcome) {
      expect(row?.outcome).toMatchObject({ type: 'accepted', ...outcome.accepted });
      return;
    }
    expect(row?.outcome).toMatchObject({ type: 'rejected', code: outcome.rejected, detail: outcome.detail });
    // A rejection leaves the time and its own outcome, nothing else.
    expect(coalesce(world.facts.changes.slice(before)).map(({ type }) => type)).toEqual(['partition', 'outcome']);
  });

  it('gives one transaction one outcome, whatever its later copies say', async () => {
    const world = await FoldedWorld.given(create, commits);
    const first = world.see(update(move(main, at(b, 1), c.id)));
    // Another gateway made the same transaction again, and this time it could be accepted.
    const second = update(move(main, at(a, 1), b.id));
    expect(world.see(second)).toBeNull();
    expect(world.see(second)).toBeNull();
    expect(world.facts.outcome(txidOf('it'))).toEqual(first);
    expect(world.facts.ref(app, main)).toEqual(at(a, 1));
  });

  it('cancels what comes later and not what came before', async () => {
    const world = await FoldedWorld.given(create, commits, cancel(txidOf('late')));
    world.see(refUpdate(txidOf('late'), [move(main, at(a, 1), b.id)]));
    expect(world.facts.outcome(txidOf('late'))?.outcome).toMatchObject({ code: 'TRANSACTION_CANCELLED' });
    expect(world.facts.ref(app, main)).toEqual(at(a, 1));

    const moved = world.see(refUpdate(txidOf('in time'), [move(main, at(a, 1), b.id)]));
    expect(world.see(cancel(txidOf('in time'), 'too late'))?.outcome.type).toBe('accepted');
    expect(world.facts.outcome(txidOf('in time'))).toEqual(moved);
  });

  it('gives a proposal from before the last fence but one no outcome, and no effect', async () => {
    const world = await FoldedWorld.given(create, commits, retire(1), retire(2));
    expect(world.see(update(move(main, at(a, 1), b.id)))).toBeNull();
    expect(world.see(cancel(txidOf('other')))).toBeNull();
    expect(world.facts.outcome(txidOf('it'))).toBeUndefined();
    expect(world.facts.outcome(txidOf('other'))).toBeUndefined();
    expect(world.facts.ref(app, main)).toEqual(at(a, 1));
  });

  it('cancels nothing that may have had an outcome which is forgotten', async () => {
    const moved = update(move(main, at(a, 1), b.id));
    const world = await FoldedWorld.given(create, commits, moved);
    const day = 86_400_000;
    world.see(retire(1), day);
    world.see(retire(2), 2 * day);
    const late = (gcEpoch: number): Event => ({ ...cancel(txidOf('it'), `cancel ${gcEpoch}`), gcEpoch }) as Event;
    expect(world.see(late(2))?.outcome.type).toBe('accepted');
    world.see(retire(3), 3 * day);
    expect(world.see(late(3))?.outcome).toMatchObject({ type: 'rejected', code: 'OUTCOME_EXPIRED' });
    expect(world.facts.outcome(txidOf('it'))?.outcome.type).toBe('accepted');
  });

  it('gives a record of a fence that has not been no outcome: its log was cut off, and may get there yet', async () => {
    const world = await FoldedWorld.given(create, commits, retire(1));
    const early = refUpdate(txidOf('it'), [move(main, at(a, 1), b.id)], { gcEpoch: 2 });
    expect(world.see(early)).toBeNull();
    expect(world.facts.ref(app, main)).toEqual(at(a, 1));
    world.see(retire(2));
    expect(world.see(early)?.outcome.type).toBe('accepted');
    expect(world.see(early)).toBeNull();
  });

  it('begins an epoch with the first fence of a collection, and not with a copy of it', async () => {
    const world = await FoldedWorld.given(create);
    const more = { ...retire(1, layer), txid: txidOf('more') };
    for (const event of [retire(1), more, retire(1), retire(2), more]) world.see(event);
    expect(world.facts.partition().gcEpoch).toBe(2);
    expect(world.facts.blobs(layer.digest)).toMatchObject([{ retiredEpoch: 1 }]);
    for (const late of [retire(1), retire(2), more]) expect(world.see(late)).toBeNull();
  });

  it('forgets an outcome with the third fence after it, and not before: the record is stale by then', async () => {
    const moved = update(move(main, at(a, 1), b.id));
    const world = await FoldedWorld.given(create, commits, moved);
    const day = 86_400_000;
    world.see(retire(1), day);
    world.see(retire(2), 2 * day);
    const isKnown = () => new Step(world.facts, { offset: 0, time: 0 }).outcome(txidOf('it')) !== undefined;
    expect(isKnown()).toBe(true);
    world.see(retire(3), 3 * day);
    expect(isKnown()).toBe(false);
    expect(world.see(moved)).toBeNull();
    // Under the same transaction, and made after it was forgotten: a new one.
    const again = refUpdate(txidOf('it'), [move(main, at(b, 2), c.id)], { gcEpoch: 3 });
    expect(world.see(again)?.outcome.type).toBe('accepted');
    expect(world.see(again)).toBeNull();
  });

  it('forgets a swept copy two fences after it was swept, when nobody can name it any more', async () => {
    const bind = commitBatch(txidOf('bind'), { blobs: [layer] });
    const fences = [retire(1, layer), sweep(1, layer), retire(2), retire(3)];
    const world = await FoldedWorld.given(create, bind, ...fences, sweep(2, layer));
    expect(world.facts.blobs(layer.digest)).toEqual([]);
    expect(world.see(commitBatch(txidOf('zombie'), { gcEpoch: 1, blobs: [layer] }))).toBeNull();
  });

  it('refuses what it cannot read, under the transaction that it can', async () => {
    const world = await FoldedWorld.given(create);
    const document = JSON.parse(Buffer.from(recordBytes(update(move(main, at(a, 1), a.id)))).toString()) as object;
    const bytes = Buffer.from(JSON.stringify({ ...document, type: 'dev.varve.of.tomorrow.v9' }));
    expect(world.see(bytes)).toMatchObject({ txid: txidOf('it'), repo: app, outcome: { code: 'RECORD_INVALID' } });
    expect(world.see(Buffer.from('not even JSON'))).toBeNull();
  });

  it('refuses everything before rules are activated, and halts at rules it does not know', async () => {
    const world = await FoldedWorld.empty();
    expect(world.see(create)?.outcome).toMatchObject({ code: 'RECORD_INVALID' });
    const rules = { type: 'rules.activate.v1', txid: txidOf('rules') } as const;
    expect(world.judge({ ...rules, rules: 2 })).toEqual({ type: 'halted', rules: 2 });
    expect(world.see({ ...rules, rules: 1 })?.outcome.type).toBe('accepted');
    // Its transaction has its outcome: it is no way around it.
    expect(world.see(create)).toBeNull();
  });

  it('refuses a record that stands in a partition where its repository does not live', async () => {
    const world = await FoldedWorld.given();
    const inPartition = (partition: number) => world.judge(create, 0, { partition, partitionCount: 16 });
    expect(inPartition(4)).toMatchObject({ outcome: { outcome: { type: 'accepted' } } });
    expect(inPartition(5)).toMatchObject({ outcome: { outcome: { code: 'RECORD_INVALID' } } });
  });

  it('takes the time from the log, and never lets it go back', async () => {
    const world = await FoldedWorld.given(create);
    expect(world.see(commitBatch(txidOf('1'), { blobs: [config] }), 5_000)?.time).toBe(5_000);
    expect(world.see(commitBatch(txidOf('2'), { blobs: [config] }), 3_000)?.time).toBe(5_000);
    expect(world.facts.partition().time).toBe(5_000);
  });

  it('keeps a move of the reflog for every accepted move', async () => {
    const world = await FoldedWorld.given(create, commits);
    world.see(refUpdate(txidOf('it'), [move(main, at(a, 1), b.id)], { reason: 'why', operation: 'reset' }), 2_000);
    expect(world.facts.changes.filter(({ type }) => type === 'reflog').at(-1)).toEqual({
      type: 'reflog',
      after: {
        repo: app,
        ref: main,
        version: 2,
        from: a.id,
        to: b.id,
        operation: 'reset',
        reason: 'why',
        actor: tester,
        txid: txidOf('it'),
        offset: 3,
        time: 2_000,
      },
    });
  });

  it('places commits: seq, depth, stack, chain and sizes', async () => {
    const upper = layerBlob('upper', 'i1', 500);
    const lower = commitOn([a], 'lower', { layers: [layer.diffId] });
    const both = commitOn([lower, side], 'both', { layers: [upper.diffId] });
    const fresh = commitOn([both], 'fresh', { base: 'empty', layers: [upper.diffId, upper.diffId] });
    const world = await FoldedWorld.given(create, commits);
    world.see(commitBatch(txidOf('it'), { commits: [lower, both, fresh], blobs: [layer, upper] }));
    expect(world.facts.commit(app, both.id)).toEqual({
      repo: app,
      id: both.id,
      seq: 5,
      parents: [4, 3],
      depth: 2,
      jump: 4,
      stackLayers: 2,
      chainId: chainIdOf([layer.diffId, upper.diffId]),
      ownBytes: 500,
      virtualBytes: 1524,
      offset: 3,
    });
    expect(world.facts.commit(app, fresh.id)).toMatchObject({
      seq: 6,
      depth: 3,
      stackLayers: 2,
      ownBytes: 1000,
      virtualBytes: 1000,
      chainId: chainIdOf([upper.diffId, upper.diffId]),
    });
  });

  it('gives commits the names people know images by', async () => {
    const v1Id = 'd'.repeat(64);
    const image = commitOn([a], 'image', {
      layers: [layer.diffId, layer.diffId],
      config: config.digest,
      manifest: { mediaType: 'm', digest: manifest.digest, size: 1 },
      origin: { v1Id },
    });
    const plain = commitOn([image], 'nothing of its own');
    const world = await FoldedWorld.given(create);
    world.see(commitBatch(txidOf('it'), { commits: [image, plain], blobs: [layer, config, manifest] }));
    const made = world.facts.changes.flatMap((change) => (change.type === 'commit' ? [change] : []));
    const names = made.map(({ aliases }) => aliases.map(({ kind, hex }) => `${kind}:${hex}`));
    const hex = (text: string) => text.slice('sha256:'.length);
    expect(names.slice(1)).toEqual([
      [
        `v1:${v1Id}`,
        `manifest:${hex(manifest.digest)}`,
        `config:${hex(config.digest)}`,
        `diff:${hex(layer.diffId)}`,
        `chain:${hex(digestOf(`${layer.diffId} ${layer.diffId}`))}`,
      ],
      [],
    ]);
  });

  it('reads limits that are part of the rules: another number here is another rule set', () => {
    const { commitBytesMax, recordBytesMax, labelsMax, refUpdatesPerRecordMax, ancestryStepsMax } = limit;
    expect({ commitBytesMax, recordBytesMax, labelsMax, refUpdatesPerRecordMax, ancestryStepsMax }).toEqual({
      commitBytesMax: 65_536,
      recordBytesMax: 524_288,
      labelsMax: 256,
      refUpdatesPerRecordMax: 1_000,
      ancestryStepsMax: 100_000,
    });
  });
});
