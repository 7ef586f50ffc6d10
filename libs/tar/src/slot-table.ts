import { randomInt } from 'node:crypto';
import { ByteHeap } from './byte-heap.js';
import { moved, release } from './columns.js';

/**
 * The names in directories: a slot is a (directory, name) that may hold a node. Found by hash, kept as columns, so that
 * a million names are some arrays and not a million maps.
 */
export class SlotTable {
  count = 0;
  /** The directory of each slot. */
  directory = new Uint32Array(64);
  /** The node a slot holds, or -1. */
  node = new Int32Array(64);
  nameStart = new Uint32Array(64);
  nameLength = new Uint16Array(64);
  readonly #names = new ByteHeap();
  #hashes = new Uint32Array(64);
  /** Slot numbers plus one, by hash; a power of two long, at most half full. */
  #buckets = new Uint32Array(128);
  /** Names are given by strangers: without a secret they could all fall into one bucket. */
  readonly #seed = randomInt(2 ** 32);

  /** Where `nameStart` and `nameLength` point. Another array after an insert. */
  get names(): Uint8Array {
    return this.#names.bytes;
  }

  /** Bytes of all names. */
  get nameBytes(): number {
    return this.#names.length;
  }

  /** The slot, or -1. */
  find(directory: number, name: Uint8Array, from: number, to: number): number {
    return this.#find(this.#hash(directory, name, from, to), directory, name, from, to);
  }

  /** The slot, new and without a node when it was not there. */
  insert(directory: number, name: Uint8Array, from: number, to: number): number {
    const hash = this.#hash(directory, name, from, to);
    const found = this.#find(hash, directory, name, from, to);
    if (found !== -1) return found;
    if (this.count === this.node.length) this.#grow();
    const slot = this.count++;
    this.directory[slot] = directory;
    this.node[slot] = -1;
    this.nameStart[slot] = this.#names.length;
    this.nameLength[slot] = to - from;
    this.#hashes[slot] = hash;
    this.#names.append(name, from, to);
    if (this.count * 2 > this.#buckets.length) this.#rehash();
    else this.#put(slot, hash);
    return slot;
  }

  /** A view of a slot's name. */
  nameOf(slot: number): Uint8Array {
    const start = this.nameStart[slot]!;
    return this.names.subarray(start, start + this.nameLength[slot]!);
  }

  /** Gives back the memory of what only lookups need. */
  endLookups(): void {
    release(this.#hashes, this.#buckets);
  }

  /** Gives back all memory. */
  release(): void {
    this.endLookups();
    release(this.directory, this.node, this.nameStart, this.nameLength, this.#names.bytes);
  }

  #find(hash: number, directory: number, name: Uint8Array, from: number, to: number): number {
    const mask = this.#buckets.length - 1;
    for (let bucket = hash & mask; ; bucket = (bucket + 1) & mask) {
      const slot = this.#buckets[bucket]! - 1;
      if (slot === -1) return -1;
      if (this.#hashes[slot] === hash && this.directory[slot] === directory && this.#isName(slot, name, from, to))
        return slot;
    }
  }

  #isName(slot: number, name: Uint8Array, from: number, to: number): boolean {
    if (this.nameLength[slot] !== to - from) return false;
    const names = this.names;
    for (let at = from, own = this.nameStart[slot]!; at < to; at++, own++) if (names[own] !== name[at]) return false;
    return true;
  }

  #hash(directory: number, name: Uint8Array, from: number, to: number): number {
    let hash = Math.imul(this.#seed ^ directory, 0x9e3779b1);
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ name[at]!, 0x01000193);
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  #put(slot: number, hash: number): void {
    const mask = this.#buckets.length - 1;
    let bucket = hash & mask;
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
    this.#buckets[bucket] = slot + 1;
  }

  #rehash(): void {
    const { length } = this.#buckets;
    release(this.#buckets);
    this.#buckets = new Uint32Array(length * 2);
    for (let slot = 0; slot < this.count; slot++) this.#put(slot, this.#hashes[slot]!);
  }

  #grow(): void {
    const rows = Math.ceil(this.count * 1.6);
    this.node = moved(this.node, rows);
    this.directory = moved(this.directory, rows);
    this.nameStart = moved(this.nameStart, rows);
    this.nameLength = moved(this.nameLength, rows);
    this.#hashes = moved(this.#hashes, rows);
  }
}
