import { randomBytes } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { openMemoryJobQueue } from '#adapters/memory/memory-job-queue';
import { digestOf } from '#core/digest';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { Job, RootfsFormat, RootfsWish, Tarball } from '#core/job';
import { jobRule } from '#core/job-step';
import { commitLayer } from '#history/commit-layer';
import { LayerStore } from '#layer/layer-store';
import { receiveLayer } from '#layer/receive-layer';
import type { BlobStore, StagedDerived, StoredDerived } from '#ports/blob-store';
import type { JobQueue } from '#ports/job-queue';
import { readBlob } from '#ports/read-blob';
import { layerStackOf } from '#ports/read-stack';
import { planRootfs, writerVersion } from '#union/rootfs-plan';
import { collect, inPieces, randomBytesOf } from '../../../test/fixture/bytes-random.js';
import { app, main } from '../../../test/fixture/event-builder.js';
import { layer } from '../../../test/fixture/layer-builder.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { tarballAddress } from './assemble-tarball.js';
import { discardStrays, sweepTarballs } from './sweep-tarballs.js';
import type { AttemptEnd } from './tarball-attempt.js';
import { tarballName } from './tarball-name.js';
import { tarballProvenance } from './tarball-provenance.js';
import { TarballWorker } from './tarball-worker.js';
import { writeRootfs } from './write-rootfs.js';

const clock = { ms: 1_800_000_000_000, now: () => clock.ms };
const minute = 60_000;
let history: RunningHistory;
let queue: JobQueue;
let layers: LayerStore;
let commit: CommitRow;
/** The canonical tar, as a checkout streams it. */
let plain: Buffer;

beforeEach(async () => {
  history = runHistory();
  await history.create();
  queue = openMemoryJobQueue({ clock, random: () => 0.5 });
  layers = new LayerStore(history.graph, history.blobs);
  for (const files of [
    { 'etc/': null, 'etc/motd': 'hello', big: randomBytesOf(1, 3_000_000) },
    { 'etc/motd': 'hello again', 'etc/.wh.gone': '', more: randomBytesOf(2, 500_000) },
  ]) {
    const received = await receiveLayer(history.blobs, inPieces(layer(files, 'gzip').blob, 100_000));
    const step = { repo: app, branch: main, layer: received, message: '', author: '', time: null, labels: {} };
    const { commit: id } = await commitLayer(history, step, context);
    commit = (await history.graph.commit(app, id)) as CommitRow;
  }
  const plan = planRootfs(await history.trees.tree(app, await layerStackOf(history.graph, history.trees, commit)));
  plain = Buffer.concat(await collect(writeRootfs(plan, (diffId) => layers.open(app, diffId))));
});
afterEach(() => history.close());

function wishFor(format: RootfsFormat = 'tar'): RootfsWish {
  const { chainId } = commit;
  return { name: tarballName(chainId, format), repo: app, commit: commit.id, chainId, format };
}

/** A worker that tells how its tries ended. */
function worker(
  name: string,
  { blobs = history.blobs, through = queue }: { blobs?: BlobStore; through?: JobQueue } = {},
) {
  const ends: AttemptEnd[] = [];
  const { graph, trees } = history;
  const made = new TarballWorker({
    graph,
    trees,
    layers,
    blobs,
    queue: through,
    clock,
    name,
    random: () => randomBytes(16),
    renewMs: 5,
    onWorked: (worked) => void ends.push(worked),
  });
  return { made, ends };
}

const jobOf = async (format: RootfsFormat = 'tar') => {
  const [job] = (await queue.list({ limit: 10 })).filter(({ wish }) => wish.format === format);
  return job as Job;
};
const stored = async (blobs: BlobStore = history.blobs) => collect(blobs.derived('tarball'));
const bytesOf = async (tarball: Tarball) => readBlob(await history.blobs.open(tarballAddress(tarball)));
const staged = async () => (await collect(history.blobs.staged())).length;
const sweep = (budgetBytes = Infinity) => sweepTarballs({ queue, blobs: history.blobs, clock, budgetBytes });

/** A port in front of another one; each method may be replaced. */
function wrapped<Port extends object>(port: Port, replaced: Partial<Port>): Port {
  return new Proxy(port, {
    get(target, name) {
      const own: unknown = Reflect.get(replaced, name);
      const value: unknown = own ?? Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A blob store that does something else with the bytes of a tarball on their way in. */
function staging(change: (staged: StagedDerived) => StagedDerived): BlobStore {
  return wrapped(history.blobs, { stageDerived: async (known) => change(await history.blobs.stageDerived(known)) });
}

describe('TarballWorker', () => {
  it.each<[RootfsFormat, (bytes: Buffer) => Buffer]>([
    ['tar', (bytes) => bytes],
    ['tar.gz', gunzipSync],
    ['tar.zst', zstdDecompressSync],
  ])('stores a %s of the bytes that a checkout streams, and publishes it', async (format, inflate) => {
    await queue.ensure(wishFor(format));
    const { made, ends } = worker('w');
    expect([await made.workOne(), await made.workOne()]).toEqual([true, false]);
    const tarball = (await queue.tarball(tarballName(commit.chainId, format))) as Tarball;
    const bytes = await bytesOf(tarball);
    expect(inflate(bytes).equals(plain)).toBe(true);
    expect(tarball).toMatchObject({ sizeBytes: bytes.length, digest: digestOf(bytes) });
    expect(ends).toMatchObject([{ outcome: 'published', sizeBytes: bytes.length }]);
    expect(await jobOf(format)).toMatchObject({ state: 'done', lastFailure: null });
    expect([await staged(), (await stored()).length]).toEqual([0, 1]);
  });

  it('tells how far it is, in bytes of the plain tar', async () => {
    const told: unknown[] = [];
    const through = wrapped(queue, {
      progress: async (held, progress) => {
        told.push(progress);
        return queue.progress(held, progress);
      },
    });
    await queue.ensure(wishFor('tar.gz'));
    await worker('w', { through }).made.workOne();
    expect(told[0]).toEqual({ phase: 'planning', doneBytes: 0, totalBytes: null });
    expect(told[1]).toMatchObject({ phase: 'writing', totalBytes: plain.length });
    expect(told.at(-1)).toMatchObject({ phase: 'verifying' });
  });

  it('keeps its lease while it works, however long', async () => {
    await queue.ensure(wishFor());
    const blobs = staging((inner) => ({
      ...inner,
      write: async (bytes) => {
        clock.ms += jobRule.leaseMs - 1;
        await new Promise((resolve) => void setTimeout(resolve, 30));
        await inner.write(bytes);
      },
    }));
    const slow = worker('slow', { blobs });
    const working = slow.made.workOne();
    await new Promise((resolve) => void setTimeout(resolve, 60));
    expect(await queue.claim('other')).toBeUndefined();
    await working;
    expect(slow.ends).toMatchObject([{ outcome: 'published' }]);
  });

  it('publishes one of two equal tarballs when two workers believe that the job is theirs', async () => {
    await queue.ensure(wishFor());
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    let late: Buffer | undefined;
    const blobs = staging((inner) => ({
      ...inner,
      seal: async (address) => {
        reached.resolve();
        await gate.promise;
        await inner.seal(address);
        late = await readBlob(await history.blobs.open(address));
      },
    }));
    const silent = wrapped(queue, { renew: async () => 'held', progress: async () => 'held' });
    const first = worker('first', { blobs, through: silent });
    const working = first.made.workOne();
    await reached.promise;
    clock.ms += jobRule.leaseMs;
    const second = worker('second');
    expect(await second.made.workOne()).toBe(true);
    gate.resolve();
    await working;
    expect([...first.ends, ...second.ends].map(({ outcome }) => outcome)).toEqual(['other-published', 'published']);
    const tarball = (await queue.tarball(wishFor().name)) as Tarball;
    expect(late?.equals(await bytesOf(tarball))).toBe(true);
    expect((await stored()).map(({ address }) => address.key)).toEqual([tarball.key]);
  });

  it('leaves what it published where it is when the queue took it and its answer was lost', async () => {
    await queue.ensure(wishFor());
    const through = wrapped(queue, {
      complete: async (held, tarball) => {
        await new Promise((resolve) => void setTimeout(resolve, 20));
        await queue.complete(held, tarball);
        throw new VarveError('UNAVAILABLE', 'the answer was lost');
      },
    });
    const { made, ends } = worker('w', { through });
    await made.workOne();
    expect(ends).toMatchObject([{ outcome: 'failed', failure: { code: 'UNAVAILABLE' } }]);
    const tarball = (await queue.tarball(wishFor().name)) as Tarball;
    expect((await bytesOf(tarball)).equals(plain)).toBe(true);
    expect(await jobOf()).toMatchObject({ state: 'done' });
    clock.ms += 60 * minute;
    await sweep();
    expect((await stored()).length).toBe(1);
  });

  it('goes on while the queue is away for a moment', async () => {
    await queue.ensure(wishFor());
    const away = async (): Promise<never> => Promise.reject(new VarveError('UNAVAILABLE', 'no server answers'));
    const { made, ends } = worker('w', { through: wrapped(queue, { renew: away, progress: away }) });
    await made.workOne();
    expect(ends).toMatchObject([{ outcome: 'published' }]);
  });

  it('ends when the job is cancelled, and leaves nothing behind', async () => {
    await queue.ensure(wishFor());
    let written = 0;
    const blobs = staging((inner) => ({
      ...inner,
      write: async (bytes) => {
        await inner.write(bytes);
        written += bytes.length;
        await queue.cancel((await jobOf()).id);
        await new Promise((resolve) => void setTimeout(resolve, 30));
      },
    }));
    const { made, ends } = worker('w', { blobs });
    await made.workOne();
    expect(ends).toMatchObject([{ outcome: 'cancelled' }]);
    expect(await jobOf()).toMatchObject({ state: 'cancelled' });
    expect(written).toBeLessThan(plain.length);
    expect([await staged(), (await stored()).length]).toEqual([0, 0]);
  });

  it('gives the job back when it is stopped: no try and no worker is counted as lost', async () => {
    await queue.ensure(wishFor());
    const begun = Promise.withResolvers<void>();
    const blobs = staging((inner) => ({
      ...inner,
      write: async (bytes) => {
        begun.resolve();
        await new Promise((resolve) => void setTimeout(resolve, 10));
        await inner.write(bytes);
      },
    }));
    const { made, ends } = worker('w', { blobs });
    made.start();
    await begun.promise;
    await made.stop();
    expect(ends).toMatchObject([{ outcome: 'released' }]);
    expect(await jobOf()).toMatchObject({ state: 'waiting', attempts: 0, lostLeases: 0 });
    expect(await staged()).toBe(0);
  });

  it('fails for good when the stored layer is damaged or gone, and says which', async () => {
    for (const { address } of await collect(history.blobs.derived('seekable'))) await history.blobs.delete(address);
    for (const blob of await collect(history.blobs.blobs())) await history.blobs.delete(blob);
    await queue.ensure(wishFor());
    await worker('w').made.workOne();
    const job = await jobOf();
    expect(job).toMatchObject({ state: 'failed', attempts: 1, lastFailure: { code: 'BLOB_UNKNOWN' } });
    expect(job.lastFailure?.message).toMatch(/sha256:/);
    expect([await staged(), (await stored()).length]).toEqual([0, 0]);
  });

  it('fails for good when the commit is not the one that was wished for', async () => {
    await queue.ensure({ ...wishFor(), chainId: digestOf('another stack') as typeof commit.chainId });
    await worker('w').made.workOne();
    expect(await jobOf()).toMatchObject({ state: 'failed', lastFailure: { code: 'COMMIT_UNKNOWN' } });
  });

  it('tries again later when the store has no room, and then succeeds', async () => {
    await queue.ensure(wishFor());
    const blobs = staging((inner) => ({
      ...inner,
      write: async () => Promise.reject(new VarveError('STORAGE_FULL', 'there is no room')),
    }));
    await worker('w', { blobs }).made.workOne();
    const job = await jobOf();
    expect(job).toMatchObject({ state: 'waiting', attempts: 1, lastFailure: { code: 'STORAGE_FULL' } });
    const { made } = worker('w');
    expect(await made.workOne()).toBe(false);
    clock.ms = job.dueAt ?? 0;
    expect(await made.workOne()).toBe(true);
    expect(await jobOf()).toMatchObject({ state: 'done', lastFailure: null });
  });

  it('does not publish what the store gives back otherwise than it was given', async () => {
    await queue.ensure(wishFor());
    const blobs = staging((inner) => ({
      ...inner,
      write: async (bytes) => {
        const damaged = Buffer.from(bytes);
        damaged[0] = (damaged[0] ?? 0) ^ 1;
        await inner.write(damaged);
      },
    }));
    await worker('w', { blobs }).made.workOne();
    const job = await jobOf();
    expect(job).toMatchObject({ state: 'waiting', lastFailure: { code: 'UNAVAILABLE' } });
    expect(job.lastFailure?.message).toMatch(/gives back \d+ bytes with digest sha256:/);
    expect(await queue.tarball(wishFor().name)).toBeUndefined();
    expect((await stored()).length).toBe(0);
  });

  it.each(['before the bytes are visible', 'when they are', 'before the pointer is put', 'after it was put'])(
    'is taken over from when it dies %s, and what it left is swept',
    async (when) => {
      await queue.ensure(wishFor());
      const never = new Promise<never>(() => undefined);
      const died = Promise.withResolvers<void>();
      const die = () => {
        died.resolve();
        return never;
      };
      const blobs = staging((inner) => ({
        ...inner,
        seal: async (address) => {
          if (when === 'before the bytes are visible') return die();
          await inner.seal(address);
          return when === 'when they are' ? die() : undefined;
        },
      }));
      const through = wrapped(queue, {
        renew: async () => 'held',
        complete: async (held, tarball) => {
          if (when === 'after it was put') await queue.complete(held, tarball);
          return die();
        },
        discard: async (key, dueAt) => queue.discard(key, dueAt),
      });
      void worker('dies', { blobs, through }).made.workOne();
      await died.promise;
      const isPublished = when === 'after it was put';
      expect((await queue.tarball(wishFor().name)) !== undefined).toBe(isPublished);
      clock.ms += jobRule.leaseMs;
      expect(await worker('next').made.workOne()).toBe(!isPublished);
      const tarball = (await queue.tarball(wishFor().name)) as Tarball;
      expect((await bytesOf(tarball)).equals(plain)).toBe(true);
      clock.ms += 24 * 60 * minute;
      await sweep();
      expect((await stored()).map(({ address }) => address.key)).toEqual([tarball.key]);
    },
  );
});

describe('sweepTarballs', () => {
  it('deletes what is over the budget, 15 min later, and not what is being downloaded', async () => {
    for (const format of ['tar', 'tar.gz'] as const) {
      await queue.ensure(wishFor(format));
      await worker('w').made.workOne();
      clock.ms += 10 * minute;
    }
    await queue.pin(wishFor('tar').name, clock.ms + minute);
    await sweep(0);
    expect((await collect(queue.tarballs())).map(({ name }) => name)).toEqual([wishFor('tar').name]);
    expect((await stored()).length).toBe(2);
    clock.ms += 15 * minute;
    await sweep(0);
    expect((await stored()).length).toBe(1);
    clock.ms += 15 * minute;
    await sweep(0);
    expect((await stored()).length).toBe(0);
  });
});

describe('discardStrays', () => {
  it('finds the bytes that a lost queue knew of, and leaves alone what has a pointer or is due', async () => {
    await queue.ensure(wishFor());
    await worker('w').made.workOne();
    const lost = openMemoryJobQueue({ clock });
    const options = { blobs: history.blobs, clock };
    expect(await discardStrays({ queue, ...options })).toBe(0);
    expect(await discardStrays({ queue: lost, ...options })).toBe(1);
    expect(await discardStrays({ queue: lost, ...options })).toBe(0);
    await sweepTarballs({ queue: lost, budgetBytes: Infinity, ...options });
    expect((await stored()).length).toBe(1);
    clock.ms += 60 * minute;
    await sweepTarballs({ queue: lost, budgetBytes: Infinity, ...options });
    expect((await stored()).length).toBe(0);
  });
});

describe('the provenance of tarballs', () => {
  const orphans = async (by: JobQueue) => {
    const provenance = tarballProvenance({ queue: by, blobs: history.blobs, clock });
    const found = await provenance.orphansOf(await stored());
    return { provenance, found };
  };

  it('is their pointer, or the try that may still publish them', async () => {
    await queue.ensure(wishFor());
    await worker('w').made.workOne();
    expect((await orphans(queue)).found).toEqual([]);
    const lost = openMemoryJobQueue({ clock });
    const [{ address }] = (await stored()) as [StoredDerived];
    await lost.discard(address, clock.ms + minute);
    expect((await orphans(lost)).found).toEqual([]);
    await lost.forget(address);

    const { provenance, found } = await orphans(lost);
    expect(found).toMatchObject([{ address, why: 'no job has published it' }]);
    await provenance.remove?.(found);
    expect(await stored()).toEqual([]);
    // It could be published by no one any more: whoever asks finds that it is gone, and makes it again.
    expect(await lost.due(10)).toEqual([]);
  });

  it('is gone with a newer writer, and the pointer goes with it', async () => {
    await queue.ensure(wishFor());
    await worker('w').made.workOne();
    const [tarball] = (await collect(queue.tarballs())) as [Tarball];
    const name = `u1w0-${'0'.repeat(64)}`;
    const old = { ...tarball, name, key: digestOf(Buffer.from(name)), version: writerVersion - 1 };
    const older = await history.blobs.stageDerived();
    await older.write(Buffer.from('as an older program wrote it'));
    await older.seal(tarballAddress(old));
    await queue.ensure({ ...wishFor(), name: old.name });
    await queue.discard(old, clock.ms + minute);
    await queue.complete((await queue.claim('older'))!, old);
    expect(await collect(queue.tarballs())).toHaveLength(2);

    const { provenance, found } = await orphans(queue);
    expect(found).toMatchObject([{ address: tarballAddress(old) }]);
    await provenance.remove?.(found);
    expect(await queue.tarball(old.name)).toBeUndefined();
    expect((await stored()).map(({ address }) => address)).toEqual([tarballAddress(tarball)]);
    expect(await queue.tarball(tarball.name)).toMatchObject({ key: tarball.key });
  });
});
