import { atOnce, inTurns, type Steps } from '#core/in-turns';
import { limit } from '#core/limit';
import { buildLayerTree } from './build-layer-tree.js';
import { ContentHash } from './content-hash.js';
import { type EntryFacts, LayerEntriesBuilder } from './layer-entries-builder.js';
import { role } from './layer-entries.js';
import type { LayerIndex } from './layer-index.js';
import { LintList } from './lint.js';
import { PathName } from './path-name.js';
import { overLimit, refusal, type TarPlace } from './refusal.js';
import { TarScanner } from './scan-tar.js';
import type { TarHeader } from './tar-entry.js';
import { checkXattrs, XattrSetBuilder } from './xattr-sets.js';

const whiteoutPrefix = '.wh.';
const opaqueName = '.wh..wh..opq';
const aufsPrefix = '.wh..wh.';
const aufsNames = ['.wh..wh.aufs', '.wh..wh.plnk', '.wh..wh.orph'];
const deviceMajorMax = 2 ** 12 - 1;
const deviceMinorMax = 2 ** 20 - 1;

/**
 * Makes the index of a layer while its uncompressed tar passes: reads, checks and normalises every entry, hashes every
 * file, and at the end builds the layer's own tree. Keeps no content.
 * @throws LAYER_INVALID, LIMIT_EXCEEDED with detail {entry, offset, rule, path?} @see union/SPEC 4.2 steps 1 and 2, 4.4, 4.5
 */
export class LayerScanner {
  readonly #scanner: TarScanner;
  readonly #rows = new LayerEntriesBuilder();
  readonly #xattrSets = new XattrSetBuilder();
  readonly #content = new ContentHash();
  readonly #lints = new LintList();
  readonly #path = new PathName();
  readonly #target = new PathName();
  #tarBytes = 0;
  #contentBytes = 0;

  constructor() {
    this.#scanner = new TarScanner({
      entry: (header) => this.#entry(header),
      body: (bytes) => this.#digest(this.#content.take(bytes)),
      end: () => {},
      globalHeader: () => this.#lints.add('global-header-ignored', new Uint8Array(0), 'a global header has values'),
    });
  }

  push(bytes: Uint8Array): void {
    this.#tarBytes += bytes.length;
    if (this.#tarBytes > limit.layerBytesMax) throw this.#layerTooLarge(this.#scanner.place);
    this.#scanner.push(bytes);
  }

  /** Ends the tar. May be called once. */
  finish(): LayerIndex {
    return atOnce(this.#finish());
  }

  /** The same with turns for others: the tree of a million entries takes most of a second. */
  finishInTurns(): Promise<LayerIndex> {
    return inTurns(this.#finish());
  }

  *#finish(): Steps<LayerIndex> {
    this.#scanner.finish();
    const entries = this.#rows.build();
    const treeLints = new LintList();
    const tree = yield* buildLayerTree(entries, this.#xattrSets, null, treeLints);
    // A tree that depends on what is below is built again there, and its lints are told there.
    if (tree !== null) this.#lints.addAll(treeLints);
    const { kept, total } = this.#lints;
    return {
      entries,
      xattrSets: tree?.xattrSets ?? this.#xattrSets.sets(),
      tree,
      lints: { kept, total },
      tarBytes: this.#tarBytes,
    };
  }

  #entry(header: TarHeader): void {
    const place: TarPlace = { code: 'LAYER_INVALID', entry: header.index, offset: header.offset };
    this.#contentBytes += header.size;
    if (this.#contentBytes > limit.layerBytesMax) throw this.#layerTooLarge(place);
    this.#path.read(header.path, place);
    const is = this.#roleOf(header, place);
    const facts = this.#factsOf(header, is, place);
    this.#lint(header, is);
    this.#rows.add(header, this.#path.bytes, this.#path.length, facts, place);
    if (this.#rows.textBytes + this.#xattrSets.bytes > limit.layerTextBytesMax) {
      const message = `the paths, links and extended attributes of a layer have at most ${limit.layerTextBytesMax} bytes`;
      throw overLimit(place, 'names-too-large', message);
    }
    if (header.type !== 'file') return;
    const digest = this.#content.begin(header);
    if (digest === 'undigested') this.#rows.setUndigested();
    else this.#digest(digest);
  }

  #digest(digest: Uint8Array | undefined): void {
    if (digest) this.#rows.setDigest(digest);
  }

  /** What the entry is for, by its path. @throws LAYER_INVALID @see union/SPEC 4.2 steps 2a to 2c */
  #roleOf(header: TarHeader, place: TarPlace): number {
    const path = this.#path;
    if (path.length === 0) {
      if (header.type === 'directory') return role.root;
      throw refusal(place, 'root-not-directory', `the root is a ${header.type}, not a directory`, header.path);
    }
    const isZeroDevice = header.type === 'char' && header.deviceMajor === 0 && header.deviceMinor === 0;
    const marker = path.mayBeMarker ? markerRole(path.bytes.toString('latin1', 0, path.length).split('/')) : role.node;
    if (marker === 'reserved') {
      throw refusal(place, 'reserved-name', 'a directory in its path has a name with .wh.', path.view);
    }
    if (marker === 'invalid') throw refusal(place, 'invalid-whiteout', 'it is a whiteout of no name', path.view);
    if (marker === role.node && isZeroDevice) return role.whiteout;
    return marker;
  }

  #factsOf(header: TarHeader, is: number, place: TarPlace): EntryFacts {
    const isMarker = is === role.whiteout || is === role.opaque;
    const isPrivate = is === role.aufs && header.type !== 'file';
    if (isMarker || isPrivate) return { role: is, xattrs: 0, link: null };
    checkXattrs(header.xattrs.kept, place, header.path);
    const xattrs = this.#xattrSets.intern(header.xattrs.kept);
    if (header.type === 'char' || header.type === 'block') checkDevice(header, place);
    return { role: is, xattrs, link: this.#linkOf(header, place) };
  }

  #linkOf(header: TarHeader, place: TarPlace): Uint8Array | null {
    if (header.type === 'hardlink') {
      this.#target.read(header.link, place, 'link target');
      if (this.#target.length > 0) return this.#target.view;
      throw refusal(place, 'link-to-root', 'it is a hardlink to the root', this.#path.view);
    }
    if (header.type !== 'symlink') return null;
    const { length } = header.link;
    if (length === 0) throw refusal(place, 'empty-link', 'it is a symlink to nothing', this.#path.view);
    if (length > limit.pathBytesMax) {
      const message = `its target has ${length} bytes; the limit is ${limit.pathBytesMax}`;
      throw refusal(place, 'link-too-long', message, this.#path.view);
    }
    return header.link;
  }

  #lint(header: TarHeader, is: number): void {
    const path = this.#path.view;
    const { xattrs, type } = header;
    const isMarker = is === role.whiteout || is === role.opaque;
    if (is === role.aufs) this.#lints.add('aufs-private', path, "AUFS's private area is no part of an image");
    if (isMarker && type === 'char') this.#lints.add('device-zero', path, 'a character device 0:0 is a whiteout');
    else if (isMarker && (type !== 'file' || header.size > 0)) {
      this.#lints.add('marker-not-empty-file', path, `the marker is a ${type} of ${header.size} bytes`);
    }
    if (header.ignoredSize)
      this.#lints.add('size-ignored', path, `a ${type} has no content, and its header has a size`);
    if (xattrs.overlayDropped)
      this.#lints.add('overlay-xattr-dropped', path, "overlay's own attributes are not taken from a layer");
    if (xattrs.vendorDropped)
      this.#lints.add('vendor-record-dropped', path, 'vendor records have no place in a canonical tar');
    if (type !== 'file' && type !== 'directory' && type !== 'hardlink' && hasUserXattr(header)) {
      this.#lints.add('user-xattr-on-special', path, `Linux allows no user.* attribute on a ${type}`);
    }
  }

  #layerTooLarge(place: TarPlace): Error {
    return overLimit(
      place,
      'layer-too-large',
      `a layer has at most ${limit.layerBytesMax} bytes, uncompressed and unsparse`,
    );
  }
}

/** What `.wh.` in a path means; its components as latin1. */
function markerRole(components: readonly string[]): number | 'reserved' | 'invalid' {
  const base = components.at(-1)!;
  const first = components[0]!;
  if (first.startsWith(aufsPrefix) && first !== opaqueName && (components.length > 1 || aufsNames.includes(base))) {
    return role.aufs;
  }
  if (components.slice(0, -1).some((component) => component.startsWith(whiteoutPrefix))) return 'reserved';
  if (base === opaqueName) return role.opaque;
  if (!base.startsWith(whiteoutPrefix)) return role.node;
  return ['', '.', '..'].includes(base.slice(whiteoutPrefix.length)) ? 'invalid' : role.whiteout;
}

function hasUserXattr({ xattrs }: TarHeader): boolean {
  for (const name of xattrs.kept.keys()) if (name.startsWith('user.')) return true;
  return false;
}

function checkDevice({ deviceMajor, deviceMinor, path }: TarHeader, place: TarPlace): void {
  const isMajor = deviceMajor >= 0 && deviceMajor <= deviceMajorMax;
  if (isMajor && deviceMinor >= 0 && deviceMinor <= deviceMinorMax) return;
  const message = `its device is ${deviceMajor}:${deviceMinor}; a device has 12 and 20 bits`;
  throw refusal(place, 'device-out-of-range', message, path);
}
