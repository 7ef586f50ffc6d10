import { decodeCommit, genesis } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefName } from '#core/name';
import { branchRef, parseRepositoryName } from '#core/name';
import { type ReceivedLayer, receiveLayer } from '#layer/receive-layer';
import type { EventLog } from '#ports/event-log';
import { readBlob } from '#ports/read-blob';
import { app, commitOn, documentBlob, main, move } from '../../../test/fixture/event-builder.js';
import { type BuiltLayer, layer } from '../../../test/fixture/layer-builder.js';
import { collect, inPieces } from '../../../test/fixture/bytes-random.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { wrapGraph, wrapLog } from '../../../test/fixture/wrapped-stores.js';
import { commitLayer, type LayerCommit } from './commit-layer.js';

const files = layer({ 'etc/': null, 'etc/motd': 'hello' });
const more = layer({ 'etc/more': 'more' }, 'gzip');
/** A whiteout of nothing. */
const broken: BuiltLayer = layer({ 'a/': null, 'a/.wh.': '' });

let history: RunningHistory;
const receive = (built: BuiltLayer) => receiveLayer(history.blobs, inPieces(built.blob, 1000));
const commit = (received: ReceivedLayer | null, fields: Partial<LayerCommit> = {}, by = context) =>
  commitLayer(
    history,
    {
      repo: app,
      branch: main,
      layer: received,
      message: 'a step',
      author: 'Ann',
      time: null,
      labels: { k: 'v' },
      ...fields,
    },
    by,
  );
const stored = async () => (await collect(history.blobs.blobs())).map(({ digest }) => digest);
const staged = async () => (await collect(history.blobs.staged())).length;
const committed = async (id: string) => {
  const bytes = await history.graph.commitBytes(app, id as typeof genesis.id);
  return decodeCommit(bytes as Uint8Array).commit;
};

async function start(options: Parameters<typeof runHistory>[0] = {}): Promise<void> {
  history = runHistory(options);
  await history.create();
}
afterEach(() => history.close());

describe('commitLayer', () => {
  it('puts the layer on the tip, stores it, and moves the branch', async () => {
    await start();
    const written = await commit(await receive(files));
    expect(await committed(written.commit)).toMatchObject({
      parents: [genesis.id],
      base: 'parent',
      layers: [files.diffId],
      message: 'a step',
      author: 'Ann',
      labels: { k: 'v' },
    });
    expect(written.outcome.moves).toEqual([{ ref: main, commit: written.commit, version: 2 }]);
    expect(await history.graph.commit(app, written.commit)).toMatchObject({
      virtualBytes: files.tar.length,
      stackLayers: 1,
    });
    const second = await commit(await receive(more));
    expect(await history.graph.commit(app, second.commit)).toMatchObject({
      ownBytes: more.tar.length,
      virtualBytes: files.tar.length + more.tar.length,
      stackLayers: 2,
    });
    expect((await stored()).toSorted()).toEqual([files.digest, more.digest].toSorted());
    expect(await staged()).toBe(0);
    const row = await history.graph.blob(app, more.digest);
    const reader = await history.blobs.open({ digest: more.digest, incarnation: row?.incarnation ?? '' });
    expect(await readBlob(reader)).toEqual(more.blob);
  });

  it('makes a commit without a layer, which changes no file', async () => {
    await start();
    const written = await commit(null, { message: 'only words' });
    expect(await committed(written.commit)).toMatchObject({ layers: [], message: 'only words' });
  });

  it('carries on the config and the platform of the tip', async () => {
    await start();
    const config = documentBlob('config');
    const platform = { architecture: 'arm64', os: 'linux', variant: 'v8' };
    const image = commitOn([genesis], 'image', { config: config.digest, platform });
    const updates = [move(main, { commit: genesis.id, version: 1 }, image.id)];
    const draft = { repo: app, operation: 'load', blobs: [config], commits: [image], updates } as const;
    await history.submitter.submit({ type: 'ref.update.v1', ...draft }, context);
    const written = await commit(await receive(files));
    expect(await committed(written.commit)).toMatchObject({ config: config.digest, platform });
  });

  it('makes the first commit of a repository without any, and no branch beside others', async () => {
    await start();
    const repo = parseRepositoryName('empty');
    const draft = { repo, operation: 'init', blobs: [], commits: [], updates: [] } as const;
    await history.submitter.submit({ type: 'repo.create.v1', defaultBranch: main, ...draft }, context);
    const first = await commit(await receive(files), { repo });
    expect(await history.graph.commit(repo, first.commit)).toMatchObject({ seq: 0, parents: [] });
    const lost = await receive(files);
    await expect(commit(lost, { repo, branch: branchRef('dev') })).rejects.toMatchObject({ code: 'REF_UNKNOWN' });
    expect(await staged()).toBe(0);
  });

  it('stores a layer once, however often it is committed', async () => {
    await start();
    await commit(await receive(files));
    await commit(await receive(files), { message: 'again' });
    expect(await stored()).toEqual([files.digest]);
    expect((await history.graph.layer(app, files.diffId))?.encodings).toHaveLength(1);
  });

  it.each<[string, Partial<LayerCommit>, string]>([
    ['an unknown repository', { repo: parseRepositoryName('other') }, 'REPOSITORY_UNKNOWN'],
    ['an unknown branch', { branch: 'refs/heads/none' as RefName }, 'REF_UNKNOWN'],
    ['an expectation that no longer holds', { expect: { commit: genesis.id, version: 0 } }, 'REF_STALE'],
    ['a time that is none', { time: 'yesterday' }, 'COMMIT_INVALID'],
    ['a message that is too long', { message: 'x'.repeat(70_000) }, 'LIMIT_EXCEEDED'],
  ])('refuses %s and leaves nothing behind', async (_title, fields, code) => {
    await start();
    const end = await history.log.end(0);
    await expect(commit(await receive(files), fields)).rejects.toMatchObject({ code });
    expect([await stored(), await staged(), await history.log.end(0)]).toEqual([[], 0, end]);
  });

  it('lets the fold refuse an expectation of a version that the graph does not show', async () => {
    await start();
    const fields = { expect: { commit: genesis.id, version: 9 } };
    await expect(commit(await receive(files), fields)).rejects.toMatchObject({ code: 'REF_STALE' });
    expect([await stored(), await staged()]).toEqual([[], 0]);
  });

  it('is not refused by a graph that went back behind what the caller has seen', async () => {
    await start();
    const before = await history.graph.ref(app, main);
    const first = await commit(null);
    const seen = await history.graph.ref(app, main);
    const request = {
      repo: app,
      branch: main,
      layer: null,
      message: '',
      author: '',
      time: null,
      labels: {},
      expect: seen,
    };
    const behind = { ...history, graph: wrapGraph(history.graph, { ref: async () => before }) };
    const second = await commitLayer(behind, request, context);
    expect((await committed(second.commit)).parents).toEqual([first.commit]);

    const further = { ...behind, graph: wrapGraph(behind.graph, { commit: async () => undefined }) };
    const tip = await history.graph.ref(app, main);
    const asked = commitLayer(further, { ...request, expect: tip }, context);
    await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('takes its bytes away again when another write was faster', async () => {
    await start();
    const received = await Promise.all([files, more, layer({ c: 'c' })].map(receive));
    const expected = { commit: genesis.id, version: 1 };
    const racing = await Promise.allSettled(
      received.map((each) => commit(each, { message: each.diffId, expect: expected })),
    );
    expect(racing.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await stored()).toHaveLength(1);
    expect(await staged()).toBe(0);
  });

  it('keeps its bytes when it cannot know whether the record stands', async () => {
    let lost = false;
    const wrap = (log: EventLog) =>
      wrapLog(log, {
        async append(partition, records) {
          if (lost) throw new VarveError('UNAVAILABLE', 'no answer');
          return log.append(partition, records);
        },
      });
    await start({ wrap, outcomeWaitMs: 100 });
    lost = true;
    const key = { ...context, idempotencyKey: 'key' };
    await expect(commit(await receive(files), {}, key)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(await stored()).toEqual([files.digest]);
    lost = false;
    const written = await commit(await receive(files), {}, key);
    expect(written).toMatchObject({ replayed: false });
  });

  it('takes its bytes away when the log is full', async () => {
    let full = false;
    const wrap = (log: EventLog) =>
      wrapLog(log, {
        async append(partition, records) {
          if (full) throw new VarveError('STORAGE_FULL', 'no room');
          return log.append(partition, records);
        },
      });
    await start({ wrap });
    full = true;
    await expect(commit(await receive(files))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await stored()).toEqual([]);
  });

  it('answers a retry with the commit that the first call made, and keeps one copy', async () => {
    await start();
    const key = { ...context, idempotencyKey: 'key' };
    const first = await commit(await receive(files), {}, key);
    await commit(null, { message: 'others go on' });
    expect(await commit(await receive(files), {}, key)).toEqual({ ...first, replayed: true });
    expect(await stored()).toEqual([files.digest]);
    expect(await staged()).toBe(0);
  });

  it('refuses a layer that is none before anything is proposed', async () => {
    await start();
    await expect(receive(broken)).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expect([await stored(), await staged()]).toEqual([[], 0]);
  });
});
