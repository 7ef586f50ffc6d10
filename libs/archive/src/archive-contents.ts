import type { Digest } from '#core/digest';
import { unreachable, type VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { ArchiveDocument, StoredLayer } from './archive-image.js';
import { componentsOf, invalid } from './entry-name.js';

/** What one pass over an archive kept of an entry. */
export type ArchiveEntry<Layer extends StoredLayer> =
  | { readonly type: 'directory' }
  | { readonly type: 'layer'; readonly layer: Layer }
  | { readonly type: 'document'; readonly document: ArchiveDocument }
  /** A link; `target` as written: of a symlink seen from its folder, of a hard link from the archive's root. */
  | { readonly type: 'symlink' | 'hardlink'; readonly target: string }
  /** A file that is neither, or a blob that looked like a layer and is none. */
  | { readonly type: 'other'; readonly digest: Digest; readonly sizeBytes: number; readonly fault: VarveError | null };

/** The entries of an archive by name. Links are followed inside it, never out of it. */
export class ArchiveContents<Layer extends StoredLayer> {
  readonly #entries = new Map<string, ArchiveEntry<Layer>>();
  readonly #folders = new Set<string>();
  readonly #used = new Set<string>();

  /** @throws ARCHIVE_INVALID when the name stands twice and the two are not byte for byte the same */
  add(name: string, entry: ArchiveEntry<Layer>): void {
    const before = this.#entries.get(name);
    if (before === undefined) {
      this.#entries.set(name, entry);
      this.#addFolders(name);
    } else if (!isSame(before, entry)) {
      throw invalid(name, 'a name stands once', `two entries are called ${name}, and they differ`);
    }
  }

  has(path: string): boolean {
    return this.#follow(path) !== undefined;
  }

  /** The names of all entries, links too, in the order they came. */
  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** The document at a path; undefined when nothing is there. @throws ARCHIVE_INVALID when something else is */
  document(path: string): ArchiveDocument | undefined {
    const name = this.#follow(path);
    if (name === undefined) return undefined;
    const entry = this.#entries.get(name);
    if (entry?.type !== 'document')
      throw invalid(path, 'documents are JSON', `${path} is ${kindOf(entry)}, expected JSON`);
    this.#used.add(name);
    return entry.document;
  }

  /** The layer at a path; undefined when nothing is there. @throws ARCHIVE_INVALID when something else is; what its bytes broke */
  layer(path: string): Layer | undefined {
    const name = this.#follow(path);
    if (name === undefined) return undefined;
    const entry = this.#entries.get(name);
    if (entry?.type === 'other' && entry.fault) throw entry.fault;
    if (entry?.type !== 'layer')
      throw invalid(path, 'layers are tars', `${path} is ${kindOf(entry)}, expected a layer`);
    this.#used.add(name);
    return entry.layer;
  }

  /** Follows every link once, used or not. @throws ARCHIVE_INVALID for one that leads out, nowhere or in a circle */
  checkLinks(): void {
    for (const [name, entry] of this.#entries) {
      if (entry.type !== 'symlink' && entry.type !== 'hardlink') continue;
      if (this.#follow(name) === undefined) {
        throw invalid(name, 'links lead to an entry', `${name} links to ${entry.target}, which is not in the archive`);
      }
    }
  }

  /** Layers and blobs that nothing named. */
  *unused(): Generator<string> {
    for (const [name, entry] of this.#entries) {
      const isBlob = entry.type === 'layer' || name.startsWith('blobs/');
      if (isBlob && entry.type !== 'directory' && !this.#used.has(name)) yield name;
    }
  }

  /** The name a path means when links are followed, '' for the root; undefined when nothing is there. */
  #follow(path: string): string | undefined {
    const left = componentsOf(path).toReversed();
    let at: string[] = [];
    for (let hops = 0; left.length > 0;) {
      const part = left.pop() as string;
      if (part === '..') {
        if (at.length === 0) throw invalid(path, 'links stay inside the archive', `${path} leads out of the archive`);
        at.pop();
        continue;
      }
      const name = [...at, part].join('/');
      const entry = this.#entries.get(name);
      if (entry?.type !== 'symlink' && entry?.type !== 'hardlink') {
        at.push(part);
        continue;
      }
      if ((hops += 1) > limit.symlinkHopsMax) {
        throw invalid(path, 'links end', `${path} leads through more than ${limit.symlinkHopsMax} links`);
      }
      if (entry.target.startsWith('/')) {
        throw invalid(name, 'links stay inside the archive', `${name} links to ${entry.target}, outside the archive`);
      }
      if (entry.type === 'hardlink') at = [];
      left.push(...componentsOf(entry.target).toReversed());
    }
    const name = at.join('/');
    return this.#entries.has(name) || this.#folders.has(name) ? name : undefined;
  }

  /** Folders need no entry of their own: a name implies those above it. */
  #addFolders(name: string): void {
    for (let at = name.lastIndexOf('/'); at > 0; at = name.lastIndexOf('/', at - 1)) {
      const folder = name.slice(0, at);
      if (this.#folders.has(folder)) return;
      this.#folders.add(folder);
    }
  }
}

function isSame(a: ArchiveEntry<StoredLayer>, b: ArchiveEntry<StoredLayer>): boolean {
  return a.type === b.type && whatItIs(a) === whatItIs(b);
}

/** The digest of a file, the target of a link. */
function whatItIs(entry: ArchiveEntry<StoredLayer>): string {
  switch (entry.type) {
    case 'directory':
      return '';
    case 'layer':
      return entry.layer.digest;
    case 'document':
      return entry.document.digest;
    case 'other':
      return entry.digest;
    case 'symlink':
    case 'hardlink':
      return entry.target;
    default:
      return unreachable(entry);
  }
}

function kindOf(entry: ArchiveEntry<StoredLayer> | undefined): string {
  switch (entry?.type) {
    case 'directory':
      return 'a directory';
    case 'layer':
      return 'a layer';
    case 'document':
      return 'JSON';
    case 'other':
      return `a file of ${entry.sizeBytes} bytes that is neither JSON nor a layer`;
    default:
      return 'no file';
  }
}
