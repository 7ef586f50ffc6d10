/** Bytes being put together, for rows that Redis keeps as they are. Numbers are big-endian; doubles hold any number of ours. */
export class PackWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(sizeBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#room(2);
    this.#length = this.#bytes.writeUInt16BE(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#length = this.#bytes.writeUInt32BE(value, this.#length);
    return this;
  }

  f64(value: number): this {
    this.#room(8);
    this.#length = this.#bytes.writeDoubleBE(value, this.#length);
    return this;
  }

  /** Hex digits, two a byte; from `from` on, to pass over a prefix such as `sha256:`. */
  hex(digits: string, from = 0): this {
    const count = (digits.length - from) >>> 1;
    this.#room(count);
    for (let at = from; at < digits.length; at += 2) {
      this.#bytes[this.#length++] = (nibble(digits.charCodeAt(at)) << 4) | nibble(digits.charCodeAt(at + 1));
    }
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** ASCII alone, without its length. */
  ascii(text: string): this {
    this.#room(text.length);
    for (let at = 0; at < text.length; at += 1) this.#bytes[this.#length++] = text.charCodeAt(at);
    return this;
  }

  /** Any text, after its length in bytes. */
  text(text: string): this {
    const length = Buffer.byteLength(text);
    this.u32(length).#room(length);
    this.#length += this.#bytes.write(text, this.#length);
    return this;
  }

  /** Puts a number where room was left for it. */
  patchU32(at: number, value: number): void {
    this.#bytes.writeUInt32BE(value, at);
  }

  /** What was written; the writer is not used any more. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + count));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads what `PackWriter` wrote, in the same order. */
export class PackReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#move(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#move(4));
  }

  f64(): number {
    return this.#bytes.readDoubleBE(this.#move(8));
  }

  hex(count: number): string {
    const at = this.#move(count);
    return this.#bytes.toString('hex', at, at + count);
  }

  ascii(count: number): string {
    const at = this.#move(count);
    return this.#bytes.toString('latin1', at, at + count);
  }

  text(): string {
    const length = this.u32();
    const at = this.#move(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  #move(count: number): number {
    const at = this.#at;
    this.#at += count;
    return at;
  }
}

function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
