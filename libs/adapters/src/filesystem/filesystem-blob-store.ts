import { randomBytes } from 'node:crypto';
import { existsSync, rmdirSync } from 'node:fs';
import { stat, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Digest } from '#core/digest';
import {
  type BlobAddress,
  type BlobReader,
  type BlobStore,
  type DerivedAddress,
  isDerived,
  type StagedBlob,
  type StagedDerived,
  type StagedFile,
  type StoredBlob,
  type StoredDerived,
} from '#ports/blob-store';
import { unknownBlob } from '../blob-key.js';
import { hashedBlob } from '../hashed-blob.js';
import { BlobLayout } from './blob-path.js';
import { DurableFolders, makeRoot } from './durable-folders.js';
import { errnoOf, fileError } from './file-error.js';
import { listBlobs, listDerived, listStaged, type Look } from './list-files.js';
import { OpenFiles } from './open-files.js';
import { Spool } from './spool.js';

const idleFilesMax = 256;

/**
 * Opens the blob store under a folder, which it makes if need be. One process at a time: whoever opens it holds the
 * lock of the data folder. @throws UNAVAILABLE, STORAGE_FULL
 */
export async function openFilesystemBlobStore(root: string): Promise<BlobStore> {
  const layout = new BlobLayout(resolve(root));
  for (const folder of layout.folders) await makeRoot(folder);
  return new FilesystemBlobStore(layout);
}

/**
 * Blobs as files. A blob becomes visible by a rename after its fsync, and `seal` returns after the fsync of the
 * folders that name it; so a crash leaves a blob whole or leaves a file in `staging/`.
 */
class FilesystemBlobStore implements BlobStore {
  readonly #layout: BlobLayout;
  readonly #folders = new DurableFolders();
  readonly #files = new OpenFiles(idleFilesMax);
  readonly #spools = new Set<Spool>();

  constructor(layout: BlobLayout) {
    this.#layout = layout;
  }

  async stageBlob(): Promise<StagedBlob> {
    const spool = this.#spool({ isDurable: true });
    return hashedBlob({
      write: (bytes) => spool.write(bytes),
      seal: (digest) => this.#sealBlob(spool, digest),
      discard: () => spool.discard(),
    });
  }

  async stageDerived(): Promise<StagedDerived> {
    const spool = this.#spool({ isDurable: false });
    return {
      write: (bytes) => spool.write(bytes),
      read: () => spool.read(),
      seal: (address) => this.#sealDerived(spool, address),
      discard: () => spool.discard(),
    };
  }

  async open(address: BlobAddress | DerivedAddress): Promise<BlobReader> {
    const path = this.#layout.fileOf(address);
    if (path === undefined) throw unknownBlob(address);
    try {
      return await this.#files.open(path);
    } catch (cause) {
      throw isAbsent(cause) ? unknownBlob(address) : fileError('open', path, cause);
    }
  }

  async stat(address: BlobAddress | DerivedAddress): Promise<number | undefined> {
    const path = this.#layout.fileOf(address);
    return path === undefined ? undefined : (await this.#look(path))?.size;
  }

  /** Without an fsync: what a power cut brings back is garbage, which is swept again. */
  async delete(address: BlobAddress | DerivedAddress): Promise<void> {
    const path = this.#layout.fileOf(address);
    if (path === undefined) return;
    try {
      this.#files.forget(path);
      await unlink(path);
    } catch (cause) {
      if (!isAbsent(cause)) throw fileError('delete', path, cause);
    } finally {
      // Once more: someone may have opened it between the two lines above.
      this.#files.forget(path);
    }
    if (!isDerived(address)) removeEmpty(this.#layout.incarnations(address.digest));
  }

  blobs(after?: BlobAddress): AsyncIterable<StoredBlob> {
    return listBlobs(this.#layout, this.#look, after);
  }

  derived(kind: DerivedAddress['kind']): AsyncIterable<StoredDerived> {
    return listDerived(this.#layout, this.#look, kind);
  }

  staged(): AsyncIterable<StagedFile> {
    return listStaged(this.#layout, this.#look, (path) => this.#isInUse(path));
  }

  async sweepStaging(olderThanMs = 0): Promise<number> {
    // Without an age everything is old enough, whatever the clock of the disk says.
    const before = olderThanMs === 0 ? Infinity : Date.now() - olderThanMs;
    let count = 0;
    for await (const { name, inUse, modifiedAt } of this.staged()) {
      if (inUse || modifiedAt > before) continue;
      const path = join(this.#layout.staging, name);
      try {
        await unlink(path);
        count += 1;
      } catch (cause) {
        if (!isAbsent(cause)) throw fileError('remove', path, cause);
      }
    }
    return count;
  }

  /** Discards what is still staged. */
  async close(): Promise<void> {
    this.#files.close();
    await Promise.all([...this.#spools].map((spool) => spool.discard()));
  }

  /** Whoever looks sees what is there: a file that was lost or replaced beside us is not read on from an open one. */
  readonly #look: Look = async (path) => {
    try {
      const found = await stat(path);
      await this.#files.renew(path, found);
      return { size: found.size, modifiedAt: Math.floor(found.mtimeMs) };
    } catch (cause) {
      if (!isAbsent(cause)) throw fileError('look at', path, cause);
      await this.#files.renew(path, undefined);
      return undefined;
    }
  };

  #isInUse(path: string): boolean {
    return [...this.#spools].some((spool) => spool.path === path);
  }

  #spool(options: { isDurable: boolean }): Spool {
    const spool = new Spool(this.#layout.staging, { ...options, onOver: () => this.#spools.delete(spool) });
    this.#spools.add(spool);
    return spool;
  }

  async #sealBlob(spool: Spool, digest: Digest): Promise<BlobAddress> {
    const address = { digest, incarnation: randomBytes(16).toString('hex') };
    const folder = this.#layout.incarnations(digest);
    const made = this.#folders.make(folder);
    made.catch(() => undefined);
    await spool.settle();
    await made;
    await this.#moveInto(folder, spool, join(folder, address.incarnation));
    await this.#folders.sync(folder);
    return address;
  }

  /** Deleting the last incarnation of the same blob takes the folder away, perhaps just now: then it is made again. */
  async #moveInto(folder: string, spool: Spool, to: string): Promise<void> {
    for (;;) {
      try {
        spool.move(to);
        return;
      } catch (cause) {
        if (!isAbsent(cause) || !existsSync(spool.path)) throw fileError('seal', to, cause);
        await this.#folders.make(folder);
      }
    }
  }

  async #sealDerived(spool: Spool, address: DerivedAddress): Promise<void> {
    const path = this.#layout.derivedFile(address);
    const folder = this.#layout.derivedFolder(address);
    // The one kind that nothing can make again.
    const isPromise = address.kind === 'checkpoint';
    await spool.settle(isPromise);
    try {
      if (isPromise) await makeRoot(folder);
      else this.#folders.makeLoose(folder);
      spool.move(path);
      if (isPromise) await this.#folders.sync(folder);
    } catch (cause) {
      throw fileError('seal', path, cause);
    }
    this.#files.forget(path);
  }
}

function isAbsent(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT';
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Other incarnations are in it, or someone was faster: both are as it should be.
  }
}
