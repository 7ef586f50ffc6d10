import { assert } from '#core/error';
import type { Steps } from '#core/in-turns';
import { orZero } from './columns.js';
import { emitLayerTree } from './emit-layer-tree.js';
import { type LayerEntries, linkOf, PathCursor, role, roleOf, typeNumber, typeOf } from './layer-entries.js';
import type { LayerTree } from './layer-tree.js';
import type { LintList } from './lint.js';
import { compareNames } from './path-name.js';
import { bindPending, type PendingLink } from './pending-links.js';
import { refusal, type TarPlace } from './refusal.js';
import { TreeNodes } from './tree-nodes.js';
import { PathListBuilder } from './path-list.js';
import { absent, DirectoryWalk, StepBudget, type WalkedTree } from './tree-walk.js';
import { checkXattrs, type XattrSetBuilder } from './xattr-sets.js';

/** Entries that are one step of the work. */
const entriesInStep = 2048;
const slash = 0x2f;
const rootNode = 0;
const noName = new Uint8Array(0);
const whiteoutPrefix = Buffer.from('.wh.');

/**
 * The tree of a layer, from its entries in the order of its tar.
 *
 * Only a hardlink to what the layer does not have (yet) asks for the tree below; what it finds there decides how the
 * entries behind it resolve. With `lower` unknown (null) such a layer has no tree of its own: the answer is null, and
 * the tree is built when the layer is put on a stack.
 * @throws LAYER_INVALID, LIMIT_EXCEEDED @see union/SPEC 4.2 step 2
 */
export function buildLayerTree(
  entries: LayerEntries,
  xattrSets: XattrSetBuilder,
  lower: WalkedTree | null,
  lints: LintList,
): Steps<LayerTree | null> {
  return new LayerTreeBuilder(entries, xattrSets, lower, lints).build();
}

class LayerTreeBuilder implements WalkedTree {
  readonly root = rootNode;
  readonly #entries: LayerEntries;
  readonly #xattrSets: XattrSetBuilder;
  readonly #lower: WalkedTree | null;
  readonly #lints: LintList;
  readonly #nodes = new TreeNodes();
  readonly #aufsArea: number;
  readonly #path: PathCursor;
  readonly #parents: DirectoryWalk;
  readonly #targets: DirectoryWalk;
  readonly #lowerTargets: DirectoryWalk | null;
  readonly #pending: PendingLink[] = [];
  /** Slots that pending links will fill, and those of them that lookups met: see `bindPending`. */
  #pendingSlots: ReadonlySet<number> = new Set();
  #met: number[] | null = null;
  /** How many leading bytes the path in hand has in common with the one whose parent was walked last. */
  #sharedWithWalked = 0;
  /**
   * The extended attributes of inodes whose links added some. They become sets at the end: a set for each link, as
   * large as all before it together, would be little in the tar and much in memory.
   */
  readonly #linkedXattrs = new Map<number, Map<string, Buffer>>();
  #canResume = false;
  #hasMarkers = false;

  constructor(entries: LayerEntries, xattrSets: XattrSetBuilder, lower: WalkedTree | null, lints: LintList) {
    this.#entries = entries;
    this.#xattrSets = xattrSets;
    this.#lower = lower;
    this.#lints = lints;
    const place = this.#placeOf(-1);
    this.#nodes.add(typeNumber.directory, -1, -1, 0, place);
    this.#aufsArea = this.#nodes.add(typeNumber.directory, -1, -1, 0, place);
    this.#path = new PathCursor(entries);
    const budget = new StepBudget(entries.count);
    this.#parents = new DirectoryWalk(this, budget);
    this.#targets = new DirectoryWalk(this, budget);
    this.#lowerTargets = lower && new DirectoryWalk(lower, budget);
  }

  *build(): Steps<LayerTree | null> {
    for (let entry = 0; entry < this.#entries.count; entry++) {
      if (entry % entriesInStep === entriesInStep - 1) yield;
      this.#sharedWithWalked = Math.min(this.#sharedWithWalked, this.#path.next());
      if (!this.#place(entry)) return null;
    }
    this.#bindPending();
    for (const [node, xattrs] of this.#linkedXattrs) this.#nodes.extra[node] = this.#xattrSets.intern(xattrs);
    const { whiteouts, opaques } = this.#resolveMarkers();
    return yield* emitLayerTree(
      this.#entries,
      this.#nodes,
      rootNode,
      whiteouts,
      opaques,
      this.#xattrSets,
      this.#lints,
      this.#placeOf(-1),
    );
  }

  child(directory: number, name: Uint8Array, from: number, to: number): number {
    const { slots } = this.#nodes;
    const slot = slots.find(directory, name, from, to);
    if (slot === -1) return absent;
    if (this.#met !== null && this.#pendingSlots.has(slot)) this.#met.push(slot);
    return slots.node[slot]!;
  }

  typeOf(node: number): number {
    return this.#nodes.type[node]!;
  }

  linkOf(node: number): Uint8Array {
    const entry = this.#nodes.entry[node]!;
    return entry >= 0 ? linkOf(this.#entries, entry) : this.#lower!.linkOf(this.#nodes.from[node]!);
  }

  /** Puts one entry where it belongs. Returns false when that needs a lower tree we do not know. */
  #place(entry: number): boolean {
    switch (roleOf(this.#entries, entry)) {
      case role.root:
        if (this.#nodes.entry[rootNode] !== -1) this.#lints.add('duplicate-path', noName, 'the last root entry counts');
        this.#nodes.entry[rootNode] = entry;
        return true;
      case role.aufs:
        this.#placeAufs(entry);
        return true;
      case role.whiteout:
      case role.opaque:
        this.#hasMarkers = true;
        return true;
      default:
        return this.#placeNode(entry);
    }
  }

  #placeAufs(entry: number): void {
    if (typeOf(this.#entries, entry) !== typeNumber.file) return;
    const { slots } = this.#nodes;
    const slot = slots.insert(this.#aufsArea, this.#path.bytes, 0, this.#path.length);
    slots.node[slot] = this.#newInode(entry, typeNumber.file);
  }

  #placeNode(entry: number): boolean {
    const path = this.#path;
    const nodes = this.#nodes;
    const type = typeOf(this.#entries, entry);
    const baseAt = path.bytes.lastIndexOf(slash, path.length - 1) + 1;
    const directory = this.#walkParent(Math.max(0, baseAt - 1), entry);
    nodes.checkPath(directory, path.length - baseAt, this.#placeOf(entry));
    const slot = nodes.slots.insert(directory, path.bytes, baseAt, path.length);
    if (type === typeNumber.hardlink) return this.#placeLink(slot, entry);
    const old = nodes.slots.node[slot]!;
    if (old !== absent) this.#replaced(old);
    if (type !== typeNumber.directory) nodes.slots.node[slot] = this.#newInode(entry, type);
    else if (old !== absent && nodes.type[old] === typeNumber.directory) nodes.entry[old] = entry;
    else nodes.addDirectory(slot, entry, this.#placeOf(entry));
    if (old !== absent && nodes.type[old] === typeNumber.directory && type !== typeNumber.directory)
      this.#canResume = false;
    return true;
  }

  /** The lint for what is replaced; a directory that was only implied is not a duplicate. */
  #replaced(old: number): void {
    const isImplied = this.#nodes.type[old] === typeNumber.directory && this.#nodes.entry[old] === -1;
    if (!isImplied)
      this.#lints.add('duplicate-path', this.#path.view, 'the path stands more than once; the last entry counts');
  }

  #newInode(entry: number, type: number): number {
    return this.#nodes.add(type, entry, entry, orZero(this.#entries.xattrs, entry), this.#placeOf(entry));
  }

  /** The directory of the path in hand, made as far as it is missing; from where the last walk was, when it may. */
  #walkParent(parentEnd: number, entry: number): number {
    const { bytes } = this.#path;
    const walk = this.#parents;
    let from = 0;
    let components = 0;
    if (this.#canResume && walk.isLexical) {
      for (let at = 0; at < this.#sharedWithWalked; at++) {
        if (bytes[at] !== slash) continue;
        components++;
        from = at + 1;
      }
    }
    walk.backTo(components);
    this.#sharedWithWalked = this.#path.length;
    this.#canResume = true;
    return from >= parentEnd
      ? walk.directory
      : walk.on(this.#path.view, from, parentEnd, this.#placeOf(entry), this.#makeImplied);
  }

  readonly #makeImplied = (directory: number, name: Uint8Array, from: number, to: number, place: TarPlace): number => {
    // The target of a symlink may name what no path may.
    if (compareNames(name, from, Math.min(to, from + 4), whiteoutPrefix, 0, 4) === 0) {
      throw refusal(place, 'reserved-name', 'its path goes through a symlink to a name with .wh.', this.#path.view);
    }
    const { slots } = this.#nodes;
    return this.#nodes.addDirectory(slots.insert(directory, name, from, to), -1, place);
  };

  #placeLink(slot: number, entry: number): boolean {
    const target = linkOf(this.#entries, entry);
    const place = this.#placeOf(entry);
    let node = this.#find(this, this.#targets, target, place);
    if (node === absent) node = this.child(this.#aufsArea, target, 0, target.length);
    if (node === absent) {
      if (this.#lower === null) return false;
      const lowerNode = this.#find(this.#lower, this.#lowerTargets!, target, place);
      if (lowerNode === absent) {
        this.#pending.push({ slot, entry });
        return true;
      }
      this.#lints.add('cross-layer-link', this.#path.view, 'its target is in a lower layer');
      node = this.#nodes.add(this.#lower.typeOf(lowerNode), -1, lowerNode, 0, place);
    }
    this.#bind(slot, node, entry);
    if (this.#nodes.entry[node]! >= 0 && this.#nodes.type[node] !== typeNumber.symlink)
      this.#applyLinkHeader(node, entry);
    return true;
  }

  /** What a hardlink's target names: parents through symlinks, the last component as it is. */
  #find(tree: WalkedTree, walk: DirectoryWalk, target: Uint8Array, place: TarPlace): number {
    const baseAt = target.lastIndexOf(slash) + 1;
    walk.backTo(0);
    const directory = walk.on(target, 0, Math.max(0, baseAt - 1), place);
    return directory === absent ? absent : tree.child(directory, target, baseAt, target.length);
  }

  #bind(slot: number, node: number, entry: number): void {
    const nodes = this.#nodes;
    if (nodes.type[node] === typeNumber.directory) {
      const target = Buffer.from(linkOf(this.#entries, entry)).toString();
      throw refusal(
        this.#placeOf(entry),
        'link-to-directory',
        `it is a hardlink to the directory "${target}"`,
        nodes.pathOfSlot(slot),
      );
    }
    const old = nodes.slots.node[slot]!;
    if (old !== absent && old !== node) {
      this.#lints.add(
        'duplicate-path',
        nodes.pathOfSlot(slot),
        'the path stands more than once; the last entry counts',
      );
      if (nodes.type[old] === typeNumber.directory) this.#canResume = false;
    }
    nodes.slots.node[slot] = node;
  }

  /** The header of a link to an inode of this layer is the inode's new header; extended attributes add up. */
  #applyLinkHeader(node: number, entry: number): void {
    const entries = this.#entries;
    const nodes = this.#nodes;
    if (!sameAttributes(entries, nodes.from[node]!, entry)) {
      nodes.from[node] = entry;
      this.#lints.add(
        'link-metadata-differs',
        this.#path.view,
        'its header changes the attributes of the file it links to',
      );
    }
    const added = orZero(entries.xattrs, entry);
    const linked = this.#linkedXattrs.get(node);
    if (added === 0 || (!linked && added === nodes.extra[node])) return;
    const both = linked ?? this.#xattrSets.valuesOf(nodes.extra[node]!);
    for (const [name, value] of this.#xattrSets.valuesOf(added)) both.set(name, value);
    checkXattrs(both, this.#placeOf(entry), this.#path.view);
    this.#linkedXattrs.set(node, both);
  }

  #bindPending(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    const paths = this.#nodes;
    this.#pendingSlots = new Set(pending.map(({ slot }) => slot));
    const bind = ({ slot, entry }: PendingLink): readonly number[] | null => {
      this.#met = [];
      const node = this.#find(this, this.#targets, linkOf(this.#entries, entry), this.#placeOf(entry));
      const met = this.#met;
      this.#met = null;
      if (node === absent) return met;
      this.#lints.add('forward-link', paths.pathOfSlot(slot), 'its target stands behind it in the layer');
      this.#bind(slot, node, entry);
      return null;
    };
    const left = bindPending(pending, bind, (entry) => this.#placeOf(entry));
    if (left !== undefined) {
      const target = Buffer.from(linkOf(this.#entries, left.entry)).toString();
      const message = `it is a hardlink to "${target}", which is neither in the layer nor below it`;
      throw refusal(this.#placeOf(left.entry), 'dangling-link', message, paths.pathOfSlot(left.slot));
    }
  }

  /** Markers stand apart from the tree, so their order cannot matter: their parents resolve when it is complete. */
  #resolveMarkers(): { whiteouts: PathListBuilder; opaques: PathListBuilder } {
    const whiteouts = new PathListBuilder();
    const opaques = new PathListBuilder();
    if (!this.#hasMarkers) return { whiteouts, opaques };
    const path = new PathCursor(this.#entries);
    for (let entry = 0; entry < this.#entries.count; entry++) {
      path.next();
      const is = roleOf(this.#entries, entry);
      if (is !== role.whiteout && is !== role.opaque) continue;
      const baseAt = path.bytes.lastIndexOf(slash, path.length - 1) + 1;
      const parent = path.bytes.subarray(0, Math.max(0, baseAt - 1));
      this.#targets.backTo(0);
      const directory = this.#targets.on(parent, 0, parent.length, this.#placeOf(entry));
      const resolved = directory === absent ? parent : this.#nodes.pathOf(directory);
      if (is === role.opaque) {
        if (resolved.length === 0) this.#lints.add('root-opaque', noName, 'an opaque root has no effect on an overlay');
        opaques.add(resolved, noName);
        continue;
      }
      const name = whiteoutName(path.bytes.subarray(baseAt, path.length));
      whiteouts.add(resolved, name);
      if (directory !== absent && this.child(directory, name, 0, name.length) !== absent) {
        this.#lints.add(
          'marker-beside-entry',
          path.view,
          'the layer both removes and has this path; only lower layers lose it',
        );
      }
    }
    assert(whiteouts.bytes + opaques.bytes < 2 ** 32, 'markers are as long as paths are');
    return { whiteouts, opaques };
  }

  #placeOf(entry: number): TarPlace {
    const block = entry === -1 ? 0 : this.#entries.headerBlock[entry]!;
    return { code: 'LAYER_INVALID', entry: Math.max(0, entry), offset: block * 512 };
  }
}

/** The name a marker removes: without `.wh.`, or as it is for a character device 0:0. */
function whiteoutName(base: Uint8Array): Uint8Array {
  const hasPrefix = base.length > 4 && compareNames(base, 0, 4, whiteoutPrefix, 0, 4) === 0;
  return hasPrefix ? base.subarray(4) : base;
}

function sameAttributes(entries: LayerEntries, a: number, b: number): boolean {
  const sameIn = (column: Uint16Array | Uint32Array | Int32Array): boolean => column[a] === column[b];
  const { mode, uid, gid, mtimeLow, mtimeHigh, nanos } = entries;
  return sameIn(mode) && sameIn(uid) && sameIn(gid) && sameIn(mtimeLow) && sameIn(mtimeHigh) && sameIn(nanos);
}
