import * as fs from 'node:fs';
import type { TarEntry } from '#tar/read-tar';
import { VarveError } from '#core/error';
import { fileError } from '../file-error.js';
import { type ExtractionReport, emptyReport } from './extraction-report.js';
import { OwnerSetter } from './owner-setter.js';
import { makeSpecialFile } from './special-file.js';
import { setTime } from './time-setter.js';
import { XattrRestore } from './xattr-restore.js';

const createOnly = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;
const setIdBits = 0o6000;

/** Mode, owner and time of an inode, set when nothing below or in it changes any more. */
interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanos: number;
}

/**
 * Writes the entries of a tar into a directory that only we can enter. A name is taken only when its parent is a
 * directory this very tar has made, so no link is ever walked through; nothing is ever written over. The calls are
 * synchronous: each takes microseconds, and 50,000 files through the thread pool take several times as long.
 */
export class TreeWriter {
  readonly report: ExtractionReport = emptyReport();
  readonly #root: Buffer;
  readonly #scratch: string;
  readonly #directories = new Map<string, Metadata | undefined>([['', undefined]]);
  /** Modes that wait for the extended attributes: `user.*` needs a writable file unless one is root. */
  readonly #lateModes: { readonly path: Buffer; readonly mode: number }[] = [];
  readonly #owners: OwnerSetter;
  readonly #xattrs: XattrRestore;

  /** `scratch` is a directory of ours on the same file system, where devices are made before they are linked. */
  constructor(root: string, scratch: string) {
    this.#root = Buffer.from(root);
    this.#scratch = scratch;
    this.#owners = new OwnerSetter(this.report);
    this.#xattrs = new XattrRestore(root, this.report);
  }

  /** @throws ARCHIVE_INVALID for a name that is not ours to write, STORAGE_FULL, REQUEST_INVALID */
  async write(entry: TarEntry): Promise<void> {
    const name = this.#nameOf(entry.path, entry);
    if (entry.type === 'directory') this.#directory(name, entry);
    else await this.#inParent(name, entry);
    await this.#xattrs.add(name, entry.xattrs);
    this.report.entries++;
  }

  /** Extended attributes, then what waited for them, then the directories, deepest first. */
  async finish(): Promise<void> {
    await this.#xattrs.finish();
    for (const { path, mode } of this.#lateModes) fs.chmodSync(path, mode);
    for (const [name, metadata] of [...this.#directories].toReversed()) {
      if (metadata) this.#settle(this.#place(name), metadata);
    }
    // A tar without a root entry says nothing of it, so it is as a new directory of this user is.
    if (!this.#directories.get('')) fs.chmodSync(this.#root, 0o777 & ~process.umask());
  }

  /** Ends the child process, if one runs. */
  abandon(): void {
    this.#xattrs.abandon();
  }

  #directory(name: string, entry: TarEntry): void {
    if (name !== '') {
      this.#attempt(entry, () => fs.mkdirSync(this.#place(name), { mode: 0o700 }));
    }
    const { mode, uid, gid, mtimeSeconds, mtimeNanos } = entry;
    this.#directories.set(name, { mode, uid, gid, mtimeSeconds, mtimeNanos });
  }

  async #inParent(name: string, entry: TarEntry): Promise<void> {
    const path = this.#place(name);
    switch (entry.type) {
      case 'file':
        return this.#file(path, entry);
      case 'hardlink': {
        const target = this.#place(this.#nameOf(entry.link, entry));
        return this.#attempt(entry, () => fs.linkSync(target, path));
      }
      case 'symlink':
        return this.#symlink(path, entry);
      default:
        return this.#special(path, entry);
    }
  }

  async #file(path: Buffer, entry: TarEntry): Promise<void> {
    const file = this.#attempt(entry, () => fs.openSync(path, createOnly, 0o600));
    try {
      for await (const chunk of entry.body()) {
        this.#attempt(entry, () => writeAll(file, chunk));
        this.report.bytes += chunk.length;
      }
      const isOwned = this.#owners.set((uid, gid) => fs.fchownSync(file, uid, gid), entry);
      const mode = this.#allowedMode(entry.mode, isOwned);
      if (entry.xattrs.size > 0) this.#lateModes.push({ path, mode });
      else fs.fchmodSync(file, mode);
      setTime((time) => fs.futimesSync(file, time, time), entry, this.report);
    } finally {
      fs.closeSync(file);
    }
  }

  #symlink(path: Buffer, entry: TarEntry): void {
    this.#attempt(entry, () => fs.symlinkSync(entry.link, path));
    this.#owners.set((uid, gid) => fs.lchownSync(path, uid, gid), entry);
    setTime((time) => fs.lutimesSync(path, time, time), entry, this.report);
  }

  #special(path: Buffer, entry: TarEntry): void {
    const made = makeSpecialFile(this.#scratch, entry);
    if (!made) {
      this.report.devicesNotMade++;
      return;
    }
    this.#settle(made, entry);
    // A link refuses a name that is taken; a rename would replace it.
    this.#attempt(entry, () => fs.linkSync(made, path));
    fs.unlinkSync(made);
  }

  #settle(path: string | Buffer, metadata: Metadata): void {
    const isOwned = this.#owners.set((uid, gid) => fs.lchownSync(path, uid, gid), metadata);
    fs.chmodSync(path, this.#allowedMode(metadata.mode, isOwned));
    setTime((time) => fs.lutimesSync(path, time, time), metadata, this.report);
  }

  #allowedMode(mode: number, isOwned: boolean): number {
    if (isOwned || (mode & setIdBits) === 0) return mode;
    this.report.setIdsCleared++;
    return mode & ~setIdBits;
  }

  /** The name without `./` and slashes at the end, as latin1; '' is the root. Refuses all that is not plainly inside. */
  #nameOf(path: Buffer, entry: TarEntry): string {
    const name = path.toString('latin1').replace(/^\.\//, '').replace(/\/+$/, '');
    if (name === '' && entry.type === 'directory') return name;
    const parts = name.split('/');
    if (name.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
      throw refused(entry, 'is not a plain name below the directory');
    }
    if (!this.#directories.has(parts.slice(0, -1).join('/'))) {
      throw refused(entry, 'lies in no directory of this tar');
    }
    return name;
  }

  #place(name: string): Buffer {
    return Buffer.concat([this.#root, Buffer.from('/'), Buffer.from(name, 'latin1')]);
  }

  #attempt<T>(entry: TarEntry, make: () => T): T {
    try {
      return make();
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'EEXIST') throw refused(entry, 'is there twice');
      if (code === 'ENOENT' && entry.type === 'hardlink')
        throw refused(entry, `links to ${entry.link.toString()}, which is not there`);
      throw fileError(entry.path.toString(), 'write', cause);
    }
  }
}

function writeAll(file: number, chunk: Uint8Array): void {
  for (let written = 0; written < chunk.length;) written += fs.writeSync(file, chunk, written);
}

function refused(entry: TarEntry, why: string): VarveError {
  const path = entry.path.toString();
  return new VarveError('ARCHIVE_INVALID', `entry ${entry.index} of the tar, "${path}", ${why}`, {
    entry: entry.index,
    offset: entry.offset,
    path,
  });
}
