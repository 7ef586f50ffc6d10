import { createHash, hash, type Hash } from 'node:crypto';
import type { TarHeader } from './tar-entry.js';

/** Hashing holes costs time that no sent byte paid for: at most this many bytes of them in a layer. */
const holesHashedBytesMax = 256 << 20;

const digestOfNothing = hash('sha256', '', 'buffer');
const zeros = Buffer.alloc(1 << 16);

/** The sha256 of each file's content while its stored bytes pass, the holes of a sparse file as zeros. */
export class ContentHash {
  #header: TarHeader | null = null;
  #left = 0;
  #hash: Hash | null = null;
  /** Position in the content of a sparse file, and its segment in hand. */
  #position = 0;
  #segment = 0;
  #holesLeftBytes = holesHashedBytesMax;

  /** The digest of a file without stored bytes is known at once; `undefined` means "when its bytes have passed". */
  begin(header: TarHeader): Uint8Array | undefined | 'undigested' {
    this.#header = header;
    this.#left = header.storedBytes;
    this.#hash = null;
    if (header.sparse === null) return header.size === 0 ? digestOfNothing : undefined;
    this.#holesLeftBytes -= header.size - header.storedBytes;
    if (this.#holesLeftBytes < 0) {
      this.#header = null;
      return 'undigested';
    }
    this.#hash = createHash('sha256');
    this.#position = this.#segment = 0;
    return this.#left === 0 ? this.#endSparse(header) : undefined;
  }

  /** Takes stored bytes; returns the digest with the last of them. */
  take(bytes: Uint8Array): Uint8Array | undefined {
    const header = this.#header;
    if (header === null) return undefined;
    this.#left -= bytes.length;
    if (header.sparse !== null) {
      this.#takeSparse(header, bytes);
      return this.#left === 0 ? this.#endSparse(header) : undefined;
    }
    // Most files lie in one piece of the tar, and one call is much cheaper than three.
    if (this.#hash === null && this.#left === 0) return hash('sha256', bytes, 'buffer');
    this.#hash ??= createHash('sha256');
    this.#hash.update(bytes);
    return this.#left === 0 ? this.#hash.digest() : undefined;
  }

  #takeSparse(header: TarHeader, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const { offset, length } = header.sparse!.segments[this.#segment]!;
      if (this.#position < offset) this.#hole(offset - this.#position);
      const count = Math.min(bytes.length - at, offset + length - this.#position);
      this.#hash!.update(bytes.subarray(at, at + count));
      this.#position += count;
      at += count;
      if (this.#position === offset + length) this.#segment++;
    }
  }

  #endSparse(header: TarHeader): Uint8Array {
    this.#hole(header.size - this.#position);
    return this.#hash!.digest();
  }

  #hole(count: number): void {
    for (let left = count; left > 0; left -= zeros.length) {
      this.#hash!.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
    }
    this.#position += count;
  }
}
