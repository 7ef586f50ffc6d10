import { randomBytes } from 'node:crypto';
import { genesis } from '#core/commit';
import type { Event, GcFence } from '#core/event';
import { decodeEvent } from '#core/event-codec';
import { receiveLayer } from '#layer/receive-layer';
import type { EventLog } from '#ports/event-log';
import { archiveOf, dockerArchive } from '../../../test/fixture/archive-builder.js';
import { collect, inPieces } from '../../../test/fixture/bytes-random.js';
import { app, commitOn, documentBlob, main, move, recordBytes } from '../../../test/fixture/event-builder.js';
import { layer } from '../../../test/fixture/layer-builder.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { wrapLog } from '../../../test/fixture/wrapped-stores.js';
import { commitLayer } from './commit-layer.js';
import { loadArchive } from './load-archive.js';

const files = layer({ 'etc/': null, 'etc/motd': 'hello' });
const keyed = { ...context, idempotencyKey: 'k1', request: 'a'.repeat(64) };

/** What comes into the log just before the next proposals, one answer for each; nothing when they are used up. */
let before: (() => Promise<readonly Event[]>)[] = [];
let history: RunningHistory;

beforeEach(async () => {
  before = [];
  history = runHistory({ wrap: (log) => wrapLog(log, { append: (...args) => appendAfterOthers(log, ...args) }) });
  await history.create();
});
afterEach(() => history.close());

async function appendAfterOthers(log: EventLog, partition: number, records: readonly Uint8Array[]): Promise<void> {
  const others = (await before.shift()?.()) ?? [];
  await log.append(partition, [...others.map(recordBytes), ...records]);
}

const fenceOf = async (blobs: GcFence['blobs']): Promise<Event> => ({
  type: 'gc.fence.v1',
  txid: randomBytes(16).toString('hex'),
  gcEpoch: (await history.graph.checkpoint(0)).partition.gcEpoch,
  gcId: randomBytes(16).toString('hex'),
  blobs: blobs.map(({ digest, incarnation }) => ({ digest, incarnation })),
});
const stored = () => collect(history.blobs.blobs());
const retireAll = async () => [await fenceOf(await stored())];
/** As a collector does that is between its deletions and their record. */
const retireAndDelete = async () => {
  const copies = await stored();
  for (const copy of copies) await history.blobs.delete(copy);
  return [await fenceOf(copies)];
};
const passTwice = async () => [await fenceOf([]), await fenceOf([])];

const commit = async (by = context) =>
  commitLayer(
    history,
    {
      repo: app,
      branch: main,
      layer: await receiveLayer(history.blobs, inPieces(files.blob, 1000)),
      message: 'a step',
      author: 'Ann',
      time: null,
      labels: {},
    },
    by,
  );

/** The one stored copy is the one that the graph knows as live, and nothing is staged. */
async function expectOneLiveCopy(): Promise<void> {
  const copies = await stored();
  expect(copies.map(({ digest }) => digest)).toEqual([files.digest]);
  expect(await history.graph.blob(app, files.digest)).toMatchObject({
    incarnation: copies[0]?.incarnation,
    retiredEpoch: null,
  });
  expect(await collect(history.blobs.staged())).toEqual([]);
}

describe('a commit that a fence comes before', () => {
  it('names a fresh copy when the one it had sealed was retired', async () => {
    before = [retireAll];
    expect(await commit()).toMatchObject({ outcome: { moves: [{ ref: main, version: 2 }] } });
    await expectOneLiveCopy();
  });

  it('is made again when it has become stale, with a copy that is younger than the fence', async () => {
    before = [passTwice];
    await commit();
    await expectOneLiveCopy();
    const events = await collect(history.log.read(0, 0));
    const decoded = events.flat().map(({ bytes }) => decodeEvent(bytes));
    const told = decoded.flatMap((each) =>
      each.type === 'event' && each.event.type === 'ref.update.v1' ? [each.event.gcEpoch] : [],
    );
    expect(told).toEqual([0, 2]);
  });

  it('tells its caller when the bytes are gone, leaves nothing, and takes the same request under its key again', async () => {
    before = [retireAndDelete];
    await expect(commit(keyed)).rejects.toMatchObject({
      code: 'BLOB_GONE',
      message: expect.stringContaining('send the same request with its bytes again'),
    });
    expect(await stored()).toEqual([]);
    expect(await history.graph.ref(app, main)).toEqual({ commit: genesis.id, version: 1 });

    const written = await commit(keyed);
    expect(written).toMatchObject({ replayed: false });
    await expectOneLiveCopy();
    expect(await commit(keyed)).toMatchObject({ replayed: true, commit: written.commit });
    await expectOneLiveCopy();
  });

  it('gives up after some tries, and leaves nothing', async () => {
    before = Array.from({ length: 10 }, () => retireAll);
    await expect(commit()).rejects.toMatchObject({ code: 'BLOB_GONE' });
    expect(before).toHaveLength(6);
    expect(await stored()).toEqual([]);
  });

  it('gives up with a clear code when it is stale each time', async () => {
    before = Array.from({ length: 10 }, () => passTwice);
    await expect(commit()).rejects.toMatchObject({ code: 'GC_EPOCH_STALE' });
    expect(before).toHaveLength(6);
    expect(await stored()).toEqual([]);
  });

  it('copies the config of its tip, which was retired and is stored all the same', async () => {
    const staged = await history.blobs.stageBlob();
    await staged.write(Buffer.from('{}'));
    const { size } = await staged.finish();
    const config = { ...documentBlob('config'), size, ...(await staged.seal()) };
    const image = commitOn([genesis], 'image', { config: config.digest });
    const updates = [move(main, { commit: genesis.id, version: 1 }, image.id)];
    const draft = { repo: app, operation: 'load', blobs: [config], commits: [image], updates } as const;
    await history.submitter.submit({ type: 'ref.update.v1', ...draft }, context);
    await history.log.append(0, [recordBytes(await fenceOf([config]))]);
    await history.projector.caughtUp();

    await commit();
    const copies = (await stored()).filter(({ digest }) => digest === config.digest);
    expect(copies).toHaveLength(2);
    expect(await history.graph.blob(app, config.digest)).toMatchObject({ size, retiredEpoch: null });
  });
});

describe('a load that a fence comes before', () => {
  const archive = archiveOf(dockerArchive([{ steps: [{ layer: files, createdBy: 'ADD' }], names: ['box:1'] }]));
  const load = () => loadArchive(history, { source: inPieces(archive, 1000), repo: null, moveTags: false }, context);

  it.each([
    ['its copies were retired', retireAll],
    ['it has become stale', passTwice],
  ])('names fresh copies of all when %s', async (_when, come) => {
    before = [come];
    const { repositories } = await load();
    expect(repositories).toMatchObject([{ repo: 'box', isNew: true, layersNew: 1 }]);
    for (const { digest, incarnation } of await stored()) {
      expect(await history.graph.copies(0, [digest])).toContainEqual(
        expect.objectContaining({ incarnation, retiredEpoch: null, mediaType: expect.stringMatching(/./) }),
      );
    }
    expect(await stored()).toHaveLength(2);
  });

  it('tells its caller when the bytes of a layer are gone, and leaves nothing', async () => {
    before = [retireAndDelete];
    await expect(load()).rejects.toMatchObject({ code: 'BLOB_GONE' });
    expect(await stored()).toEqual([]);
    expect(await collect(history.blobs.staged())).toEqual([]);
    expect((await load()).repositories).toMatchObject([{ repo: 'box', isNew: true }]);
  });
});
