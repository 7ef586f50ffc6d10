import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { decodeCommit } from '#core/commit';
import { chainIdOf, type Digest } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import { branchRef, parseRepositoryName, tagRef, type RefName } from '#core/name';
import { LayerStore } from '#layer/layer-store';
import { readBlob } from '#ports/read-blob';
import type { BlobStore, StagedBlob } from '#ports/blob-store';
import { Projector } from '#projection/follow';
import { verify } from '#projection/rebuild';
import {
  archiveOf,
  type BuiltImage,
  configOf,
  dockerArchive,
  dockerOciArchive,
  layersOf,
  legacyArchive,
  manifestOf,
  ociArchive,
  ociMultiPlatformArchive,
  podmanArchive,
  v1Chain,
  v1RootId,
} from '../../../test/fixture/archive-builder.js';
import {
  emptyLayer,
  emptyLayerOfGnuTar,
  gzipInTwoMembers,
  layer,
  layerOfTar,
  recompressed,
} from '../../../test/fixture/layer-builder.js';
import { type BuiltEntry, tarBytes } from '../../../test/fixture/tar-bytes.js';
import { loadArchive, type LoadOptions } from './load-archive.js';
import type { LoadReport } from './load-report.js';
import { Submitter } from './submitter.js';
import type { WriteContext } from './write.js';

const app = parseRepositoryName('app');
const tag1 = tagRef('1');
const base = layer({ 'etc/': null, 'etc/motd': 'base' });
const middle = layer({ 'bin/': null, 'bin/tool': 'x'.repeat(5000), 'etc/.wh.motd': '' });
const top = layer({ 'app/': null, 'app/run': 'y'.repeat(3000) });
const image: BuiltImage = {
  steps: [{ layer: base, createdBy: 'ADD base' }, { createdBy: 'ENV A=1' }, { layer: top, createdBy: 'ADD app' }],
  names: ['app:1'],
};
const zipped: BuiltImage = {
  ...image,
  steps: image.steps.map((step) => (step.layer ? { ...step, layer: recompressed(step.layer, 'gzip') } : step)),
};
const context: WriteContext = {
  actor: { name: 'ann@host', verified: false },
  reason: 'test',
  idempotencyKey: null,
  request: null,
};

describe('loading an archive', () => {
  it.each([
    ['docker 1.10 to 24', dockerArchive([image])],
    ['podman and skopeo', podmanArchive(image)],
    ['an OCI layout of gzip layers', ociArchive([zipped])],
    ['docker 25 and later', dockerOciArchive([image])],
  ])('of %s makes repository, commits and tag in one record', async (_title, items) => {
    await using engine = openEngine();
    await engine.projector.caughtUp();
    const before = await engine.log.end(0);
    const report = await engine.load(items);

    expect(report.images).toMatchObject([
      { repo: 'app', refs: [tag1], commits: 4, commitsNew: 4, layers: 2, layersNew: 2 },
    ]);
    expect(report.repositories).toMatchObject([{ repo: 'app', isNew: true, commitsNew: 4, layersNew: 2 }]);
    expect((await engine.log.end(0)) - before).toBe(1);
    const tip = await engine.tip(tag1);
    expect(tip.row).toMatchObject({
      id: report.images[0]?.commit,
      stackLayers: 2,
      chainId: chainIdOf([base.diffId, top.diffId]),
    });
    expect(await engine.document(tip.commit.config)).toEqual(configOf(image));
  });

  it('keeps the exact manifest and the exact blobs of an OCI layout', async () => {
    await using engine = openEngine();
    await engine.load(ociArchive([zipped]));
    const { commit } = await engine.tip(tag1);
    expect(await engine.document(commit.manifest?.digest ?? null)).toEqual(manifestOf(zipped));
    for (const built of layersOf(zipped)) expect(await engine.document(built.digest)).toEqual(built.blob);
  });

  it.each([
    ['plain', top],
    ['gzip', recompressed(top, 'gzip')],
    ['gzip of two members', layerOfTar(top.tar, 'gzip', gzipInTwoMembers(top.tar))],
    ['zstd', recompressed(top, 'zstd')],
  ])('keeps a layer readable as a plain tar: %s', async (_title, built) => {
    await using engine = openEngine();
    await engine.load(ociArchive([{ steps: [{ layer: built }], names: ['app:1'] }]));
    const reader = await engine.layers.open(app, top.diffId);
    expect(await readBlob(reader)).toEqual(top.tar);
    await reader.close();
  });

  it('of docker before 1.10 gives one commit for each id, findable by it', async () => {
    await using engine = openEngine();
    const chain = v1Chain([
      { id: v1RootId, layer: emptyLayer, comment: 'Imported from -' },
      { layer: base },
      { layer: top },
    ]);
    const report = await engine.load(legacyArchive(chain, { app: { '1': chain[2]?.id ?? '' } }));

    expect(report.images).toMatchObject([{ commits: 3, layers: 3 }]);
    for (const { id } of chain) {
      const [alias] = await engine.graph.aliasesByPrefix(app, id.slice(0, 12), ['v1'], 2);
      const found = decodeCommit((await engine.graph.commitBytes(app, alias!.commit))!).commit;
      expect(found.origin).toEqual({ v1Id: id });
      expect(JSON.parse((await engine.document(found.config)).toString())).toMatchObject({ id });
    }
    expect((await engine.tip(tag1)).row).toMatchObject({ depth: 2, stackLayers: 3 });
  });

  it('takes an archive that is compressed as a whole, and tells how far it is', async () => {
    await using engine = openEngine();
    const bytes = gzipSync(archiveOf(dockerArchive([image])));
    const progress: number[] = [];
    const report = await engine.loadBytes(bytes, { onProgress: (done) => progress.push(done) });
    expect(report.bytesRead).toBe(bytes.length);
    expect(progress.at(-1)).toBe(bytes.length);
  });

  it('keeps an image without layers, and real layers that are empty', async () => {
    await using engine = openEngine();
    const nothing: BuiltImage = { steps: [{ createdBy: 'ENV A=1' }], names: ['none:1'] };
    const hollow: BuiltImage = { steps: [{ layer: emptyLayerOfGnuTar, comment: 'empty base' }], names: ['hollow:1'] };
    const report = await engine.load(dockerArchive([nothing, hollow]));
    expect(report.images.map(({ commits, layers }) => [commits, layers])).toEqual([
      [2, 0],
      [2, 1],
    ]);
  });

  it('puts a history of more than one record into several, the refs in the last', async () => {
    await using engine = openEngine();
    const steps = Array.from({ length: 60 }, (_, i) => ({ createdBy: `RUN ${i} ${'x'.repeat(15_000)}` }));
    const report = await engine.load(dockerArchive([{ steps: [{ layer: base }, ...steps], names: ['app:1'] }]));
    expect(report.repositories).toMatchObject([{ isNew: true, commitsNew: 62 }]);
    expect(await engine.log.end(0)).toBeGreaterThan(3);
    expect((await engine.tip(tag1)).row.depth).toBe(61);
  });
});

describe('loading again', () => {
  it.each([
    ['docker 1.10 to 24', dockerArchive([image])],
    ['an OCI layout', ociArchive([zipped])],
    [
      'docker before 1.10',
      legacyArchive(v1Chain([{ layer: base, id: 'a'.repeat(64) }]), { app: { '1': 'a'.repeat(64) } }),
    ],
  ])('adds nothing: %s', async (_title, items) => {
    await using engine = openEngine();
    const first = await engine.load(items);
    const before = await engine.everything();
    const second = await engine.load(items);

    expect(await engine.everything()).toEqual(before);
    expect(second.repositories).toMatchObject([{ isNew: false, commitsNew: 0, layersNew: 0, bytesStored: 0 }]);
    expect(second.repositories[0]?.written.position).toEqual(first.repositories[0]?.written.position);
    expect(second.images[0]?.commit).toBe(first.images[0]?.commit);
  });

  it('shares the base that two archives have in common', async () => {
    await using engine = openEngine();
    await engine.load(dockerArchive([image]));
    const other: BuiltImage = {
      steps: [...image.steps.slice(0, 2), { layer: middle, createdBy: 'ADD tool' }],
      names: ['app:2'],
    };
    const report = await engine.load(dockerArchive([other]));
    expect(report.images).toMatchObject([{ commits: 4, commitsNew: 2, layersNew: 1 }]);
  });

  it('stores no second copy of layers that came in another encoding, unless a manifest names the bytes', async () => {
    await using engine = openEngine();
    await engine.load(ociArchive([zipped]));
    expect((await engine.load(dockerArchive([{ ...image, names: ['app:2'] }]))).repositories).toMatchObject([
      { layersNew: 0 },
    ]);

    const plain = { ...image, names: ['app:3'] };
    expect((await engine.load(ociArchive([plain]))).repositories).toMatchObject([{ layersNew: 2 }]);
    expect(await engine.document(base.digest)).toEqual(base.blob);
  });

  it('with the same idempotency key is answered as before, though the tag has moved on', async () => {
    await using engine = openEngine();
    const keyed = { ...context, idempotencyKey: 'k1' };
    const first = await engine.load(dockerArchive([image]), {}, keyed);
    const other = { ...image, steps: [{ layer: middle }] };
    await engine.load(dockerArchive([other]), { moveTags: true });
    const again = await engine.load(dockerArchive([image]), {}, keyed);
    expect(again.repositories[0]?.written).toMatchObject({
      replayed: true,
      position: first.repositories[0]?.written.position,
    });
  });

  it('with the same idempotency key and another archive is refused', async () => {
    await using engine = openEngine();
    const keyed = { ...context, idempotencyKey: 'k1' };
    await engine.load(dockerArchive([image]), {}, keyed);
    const other = { ...image, steps: [{ layer: middle }] };
    expect((await engine.refusal(dockerArchive([other]), {}, keyed)).code).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it('at the same time, many times, gives one result', async () => {
    await using engine = openEngine();
    const reports = await Promise.all(Array.from({ length: 8 }, () => engine.load(dockerArchive([image]))));
    expect(new Set(reports.map(({ images }) => images[0]?.commit)).size).toBe(1);
    expect(await engine.graph.reflog(app, { limit: 10 })).toHaveLength(1);
    expect(await engine.unnamedBlobs()).toEqual([]);
    expect(await engine.stagedNames()).toEqual([]);
  });
});

describe('where a load goes', () => {
  it('is what the names say: repository and tag, without host and library/', async () => {
    await using engine = openEngine();
    const names = ['127.0.0.1:5000/team/app:v1', 'docker.io/library/app:1', 'app:2'];
    const report = await engine.load(dockerArchive([{ ...image, names }]));
    expect(report.images.map(({ repo, refs }) => [repo, refs])).toEqual([
      ['team/app', ['refs/tags/v1']],
      ['app', ['refs/tags/1', 'refs/tags/2']],
    ]);
  });

  it('is the given repository for everything, when one is given; the tags stay', async () => {
    await using engine = openEngine();
    const report = await engine.load(dockerArchive([image]), { repo: parseRepositoryName('mine') });
    expect(report.images).toMatchObject([{ repo: 'mine', refs: ['refs/tags/1'] }]);
  });

  it('is the given repository and the branch main, when the archive names nothing', async () => {
    await using engine = openEngine();
    const report = await engine.load(dockerArchive([{ ...image, names: [] }]), { repo: app });
    expect(report.images).toMatchObject([{ repo: 'app', refs: ['refs/heads/main'] }]);
  });

  it('is the given repository for a layout that names only a tag', async () => {
    await using engine = openEngine();
    const tagOnly = ociArchive([{ ...zipped, names: ['latest'] }]);
    expect((await engine.refusal(tagOnly)).message).toContain('which repository latest goes to');
    expect((await engine.load(tagOnly, { repo: app })).images).toMatchObject([{ refs: ['refs/tags/latest'] }]);
  });

  it('must be said when the archive names nothing', async () => {
    await using engine = openEngine();
    const error = await engine.refusal(dockerArchive([{ ...image, names: [] }]));
    expect([error.code, error.message]).toEqual(['REQUEST_INVALID', expect.stringContaining('name one')]);
  });

  it('must be one ref for one image: several heads without name are listed', async () => {
    await using engine = openEngine();
    const chain = v1Chain([{ layer: base }, { layer: top }]);
    const side = v1Chain([{ layer: middle }], chain[0]?.id);
    const error = await engine.refusal(legacyArchive([...chain, ...side], null), { repo: app });
    expect(error.code).toBe('REQUEST_INVALID');
    for (const head of [chain[1], side[0]]) expect(error.message).toContain(`v1:${head?.id}`);
  });

  it('must be one image for one ref, unless an index says that they are one', async () => {
    await using engine = openEngine();
    const items = dockerArchive([image, { ...image, architecture: 'arm64' }]);
    const error = await engine.refusal(items);
    expect([error.code, error.detail['platforms']]).toEqual(['UNSUPPORTED', ['linux/amd64', 'linux/arm64']]);
  });
});

describe('an image for several platforms', () => {
  const arm = { ...zipped, architecture: 'arm64' };
  const items = ociMultiPlatformArchive([arm, zipped], 'localhost/app:1');
  const linuxArm = { os: 'linux', architecture: 'arm64', variant: null };

  it('is a commit for each, and one that groups them, which the tag points at', async () => {
    await using engine = openEngine();
    const report = await engine.load(items);
    expect(report.images).toMatchObject([{ repo: 'app', refs: [tag1], commits: 9, commitsNew: 9, layers: 2 }]);
    const { commit } = await engine.tip(tag1);
    expect(commit).toMatchObject({ parents: [], layers: [], base: 'empty', config: null, platform: null, time: null });
    expect(commit.index?.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
    const stored = await engine.document(commit.manifest!.digest);
    expect((JSON.parse(stored.toString()) as { manifests: unknown[] }).manifests).toHaveLength(2);
    for (const { commit: id } of commit.index!) {
      expect((await engine.graph.commit(app, id))?.chainId).toBe(chainIdOf([base.diffId, top.diffId]));
    }
    expect((await engine.load(items)).repositories).toMatchObject([{ commitsNew: 0, layersNew: 0 }]);
  });

  it('is that platform alone when it is asked for', async () => {
    await using engine = openEngine();
    await engine.load(items, { platform: linuxArm });
    expect((await engine.tip(tag1)).commit).toMatchObject({ index: null, platform: linuxArm });
  });
});

describe('refs that are elsewhere', () => {
  const other: BuiltImage = { steps: [{ layer: middle }], names: ['app:1'] };

  it('are not moved: TAG_IMMUTABLE, and nothing is left behind', async () => {
    await using engine = openEngine();
    await engine.load(dockerArchive([image]));
    const before = await engine.everything();
    const error = await engine.refusal(dockerArchive([other]));
    expect(error).toMatchObject({ code: 'TAG_IMMUTABLE', detail: { ref: 'refs/tags/1' } });
    expect(await engine.everything()).toEqual(before);
  });

  it('are moved when that is asked for, and the reflog has both', async () => {
    await using engine = openEngine();
    const first = await engine.load(dockerArchive([image]));
    const second = await engine.load(dockerArchive([other]), { moveTags: true });
    const log = await engine.graph.reflog(app, { ref: tag1, limit: 10 });
    expect(log.map(({ to, operation }) => [to, operation])).toEqual([
      [second.images[0]?.commit, 'load'],
      [first.images[0]?.commit, 'load'],
    ]);
  });

  it('move forward when they are branches', async () => {
    await using engine = openEngine();
    const unnamed = (steps: BuiltImage['steps']) => dockerArchive([{ steps, names: [], config: { history: [] } }]);
    await engine.load(unnamed([{ layer: base }]), { repo: app });
    const error = await engine.refusal(unnamed([{ layer: middle }]), { repo: app });
    expect(error).toMatchObject({ code: 'NOT_FAST_FORWARD', detail: { ref: branchRef('main') } });
    await engine.load(unnamed([{ layer: middle }]), { repo: app, moveTags: true });
    expect((await engine.tip(branchRef('main'))).row.chainId).toBe(chainIdOf([middle.diffId]));
  });
});

describe('a load that is refused leaves nothing behind', () => {
  const broken = layerOfTar(tarBytes([{ name: 'a', type: 'hardlink', link: 'nowhere' }]));
  const docker = archiveOf(dockerArchive([image]));
  const layerStart = docker.indexOf(base.tar.subarray(0, 512));

  it.each<[string, Buffer, string]>([
    ['an archive that ends in a layer', docker.subarray(0, layerStart + 700), 'ARCHIVE_INVALID'],
    ['a damaged layer', damaged(docker, layerStart), 'LAYER_INVALID'],
    ['a layer of another diffID', damaged(docker, layerStart + 520), 'LAYER_INVALID or DIGEST_MISMATCH'],
    ['a gzip that ends early', gzipSync(docker).subarray(0, 900), 'ARCHIVE_INVALID'],
    [
      'a layer with a tree that cannot be',
      archiveOf(dockerArchive([{ steps: [{ layer: base }, { layer: broken }], names: ['app:1'] }])),
      'LAYER_INVALID',
    ],
    ['a name that is none', archiveOf(dockerArchive([{ ...image, names: ['App:1'] }])), 'NAME_INVALID'],
    ['no archive at all', Buffer.from('hello'), 'ARCHIVE_INVALID'],
  ])('%s', async (_title, bytes, codes) => {
    await using engine = openEngine();
    const before = await engine.everything();
    const error = await refusalOf(engine.loadBytes(bytes));
    expect(codes.split(' or ')).toContain(error.code);
    expect(await engine.everything()).toEqual(before);
  });

  it('names the image and the stack that has no tree', async () => {
    await using engine = openEngine();
    const error = await engine.refusal(
      dockerArchive([{ steps: [{ layer: base }, { layer: broken }], names: ['app:1'] }]),
    );
    expect(error.message).toContain(`app:1, layer 2 of 2 (${broken.diffId})`);
    expect(error.detail).toMatchObject({ image: 'app:1', stack: [base.diffId, broken.diffId] });
  });

  it('also when the store is full while it makes the blobs visible', async () => {
    const blobs = openMemoryBlobStore();
    await using engine = openEngine(failingAtSeal(blobs, 3));
    const before = await engine.everything();
    await expect(engine.load(dockerArchive([image]))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await engine.everything()).toEqual(before);
  });
});

function damaged(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy.readUInt8(at) + 1) & 0xff, at);
  return copy;
}

/** A store whose n-th sealed blob finds no room. */
function failingAtSeal(blobs: BlobStore, n: number): BlobStore {
  let sealed = 0;
  const stageBlob = async (): Promise<StagedBlob> => {
    const staged = await blobs.stageBlob();
    return {
      write: (bytes) => staged.write(bytes),
      finish: () => staged.finish(),
      discard: () => staged.discard(),
      seal: async () => {
        if ((sealed += 1) < n) return staged.seal();
        throw new VarveError('STORAGE_FULL', 'no room');
      },
    };
  };
  return new Proxy(blobs, {
    get(target, key) {
      if (key === 'stageBlob') return stageBlob;
      const member: unknown = Reflect.get(target, key);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** Everything a load runs on, in memory: log, graph, blobs, and the projector between them. */
function openEngine(blobs: BlobStore = openMemoryBlobStore()) {
  const clock = { now: () => 1_700_000_000_000 };
  const log = openMemoryEventLog(clock);
  const graph = openMemoryGraphStore();
  const projector = new Projector({ log, graph });
  const submitter = new Submitter({ log, graph, clock, random: randomBytes });
  const layers = new LayerStore(graph, blobs);
  projector.start();

  const loadBytes = (bytes: Buffer, options: Partial<LoadOptions> = {}, by = context): Promise<LoadReport> =>
    loadArchive({ graph, submitter, blobs }, { source: inChunks(bytes), repo: null, moveTags: false, ...options }, by);
  const load = (items: readonly BuiltEntry[], options: Partial<LoadOptions> = {}, by = context) =>
    loadBytes(archiveOf(items), options, by);
  const blobsNow = () => listed(blobs.blobs());
  const stagedNames = async () => (await listed(blobs.staged())).map(({ name }) => name);

  return {
    log,
    graph,
    layers,
    projector,
    load,
    loadBytes,
    stagedNames,
    refusal: (items: readonly BuiltEntry[], options: Partial<LoadOptions> = {}, by = context) =>
      refusalOf(load(items, options, by)),

    /** The commit a ref of `app` is at. */
    async tip(ref: RefName) {
      const id = (await graph.ref(app, ref))?.commit;
      if (!id) throw new Error(`${ref} is not there`);
      return { row: (await graph.commit(app, id))!, commit: decodeCommit((await graph.commitBytes(app, id))!).commit };
    },

    async document(digest: Digest | null): Promise<Buffer> {
      if (digest === null) throw new Error('there is no document');
      const reader = await layers.openBlob(app, digest);
      try {
        return await readBlob(reader);
      } finally {
        await reader.close();
      }
    },

    /** What a load that adds nothing leaves as it was. */
    async everything() {
      await projector.caughtUp();
      const stored = (await blobsNow()).map(({ digest, incarnation }) => `${digest} ${incarnation}`);
      return { records: await log.end(0), blobs: stored, staged: await stagedNames() };
    },

    /** Stored blobs that no record names. */
    async unnamedBlobs() {
      const unnamed = [];
      for (const { digest, incarnation } of await blobsNow()) {
        const row = await graph.blob(app, digest);
        if (row?.incarnation !== incarnation) unnamed.push(digest);
      }
      return unnamed;
    },

    /** Whatever a test did, a replay gives the same graph. */
    async [Symbol.asyncDispose]() {
      await projector.caughtUp();
      expect((await verify({ log, graph })).sameAsBefore).toBe(true);
      submitter.close();
      await projector.stop();
    },
  };
}

async function listed<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 4000) yield bytes.subarray(at, at + 4000);
}

async function refusalOf(promise: Promise<unknown>): Promise<VarveError> {
  const error = await promise.then(
    () => new Error('expected a refusal'),
    (cause: unknown) => cause,
  );
  if (!isVarveError(error)) throw error;
  return error;
}
