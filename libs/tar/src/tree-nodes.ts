import { limit } from '#core/limit';
import { moved, release } from './columns.js';
import { typeNumber } from './layer-entries.js';
import { overLimit, refusal, type TarPlace } from './refusal.js';
import { componentTooLong, tooDeep } from './path-name.js';
import { SlotTable } from './slot-table.js';

/**
 * The directories and inodes of a layer's tree while it is built. A node is one inode: several slots may hold it. A
 * subtree that is replaced is only let go: nothing leads to it any more.
 */
export class TreeNodes {
  readonly slots = new SlotTable();
  count = 0;
  type = new Uint8Array(64);
  /** A directory: the entry it has its attributes from, -1 when implied. An inode: the entry that made it, -1 for one of the lower tree. */
  entry = new Int32Array(64);
  /** A directory: its slot. An inode: the entry its attributes are from; a lower one: its node there. */
  from = new Int32Array(64);
  /** A directory: bytes of its path and its depth, packed. An inode: its set of extended attributes. */
  extra = new Uint32Array(64);

  add(type: number, entry: number, from: number, extra: number, place: TarPlace): number {
    if (this.count >= limit.entriesPerTreeMax) throw tooManyNodes(place);
    if (this.count === this.type.length) this.#grow();
    const node = this.count++;
    this.type[node] = type;
    this.entry[node] = entry;
    this.from[node] = from;
    this.extra[node] = extra;
    return node;
  }

  /** A directory in a slot. @throws LAYER_INVALID (path-too-long), LIMIT_EXCEEDED */
  addDirectory(slot: number, entry: number, place: TarPlace): number {
    const parent = this.slots.directory[slot]!;
    const depth = this.depthOf(parent) + 1;
    const pathBytes = this.checkPath(parent, this.slots.nameLength[slot]!, place);
    const node = this.add(typeNumber.directory, entry, slot, pathBytes * depthUnits + depth, place);
    this.slots.node[slot] = node;
    return node;
  }

  /** The bytes of the path of a name in a directory. @throws LAYER_INVALID (path-too-long), LIMIT_EXCEEDED */
  checkPath(directory: number, nameBytes: number, place: TarPlace): number {
    const parentBytes = this.pathBytesOf(directory);
    const bytes = parentBytes + (parentBytes > 0 ? 1 : 0) + nameBytes;
    if (nameBytes > limit.componentBytesMax) throw componentTooLong(place, nameBytes, this.pathOf(directory));
    if (bytes > limit.pathBytesMax) {
      const message = `its path has ${bytes} bytes when links are resolved; the limit is ${limit.pathBytesMax}`;
      throw refusal(place, 'path-too-long', message, this.pathOf(directory));
    }
    const depth = this.depthOf(directory) + 1;
    if (depth > limit.depthMax) throw tooDeep(place, depth, this.pathOf(directory));
    return bytes;
  }

  depthOf(directory: number): number {
    return this.extra[directory]! % depthUnits;
  }

  pathBytesOf(directory: number): number {
    return Math.floor(this.extra[directory]! / depthUnits);
  }

  /** The path of a directory; the root's is empty. */
  pathOf(directory: number): Uint8Array {
    const path = new Uint8Array(this.pathBytesOf(directory));
    for (let node = directory, end = path.length; this.depthOf(node) > 0;) {
      const slot = this.from[node]!;
      const name = this.slots.nameOf(slot);
      path.set(name, end - name.length);
      if (end > name.length) path[end - name.length - 1] = 0x2f;
      end -= name.length + 1;
      node = this.slots.directory[slot]!;
    }
    return path;
  }

  /** What a slot's path is, for messages. */
  pathOfSlot(slot: number): Uint8Array {
    const directory = this.pathOf(this.slots.directory[slot]!);
    const name = this.slots.nameOf(slot);
    return directory.length === 0 ? name.slice() : Buffer.concat([directory, Buffer.from('/'), name]);
  }

  /** Gives back all memory. */
  release(): void {
    this.slots.release();
    release(this.type, this.entry, this.from, this.extra);
  }

  #grow(): void {
    const rows = Math.ceil(this.count * 1.6);
    this.type = moved(this.type, rows);
    this.entry = moved(this.entry, rows);
    this.from = moved(this.from, rows);
    this.extra = moved(this.extra, rows);
  }
}

/** More than the depth of any directory. */
const depthUnits = 2048;

function tooManyNodes(place: TarPlace): Error {
  const message = `a tree has at most ${limit.entriesPerTreeMax} nodes, implied directories included`;
  return overLimit(place, 'tree-too-large', message);
}
