/** Texts up to here are written digit by digit, which takes less than a call out of the engine. */
const shortText = 40;

/** Value of each hex digit, by its character code. */
const nibbles = Uint8Array.from({ length: 128 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16) || 0);

/** Bytes being put together, for rows that Redis keeps as they are. Numbers are big-endian; doubles hold any number of ours. */
export class PackWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(sizeBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  u8(value: number): this {
    // First the room: making it may put other bytes in the place of these.
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
    return this;
  }

  f64(value: number): this {
    const at = this.#room(8);
    this.#bytes.writeDoubleBE(value, at);
    return this;
  }

  /** Hex digits, two a byte: those from `from` up to `to`, to pass over a prefix such as `sha256:`. */
  hex(digits: string, from = 0, to = digits.length): this {
    let at = this.#room((to - from) >>> 1);
    const bytes = this.#bytes;
    for (let i = from; i < to; i += 2) {
      bytes[at++] = ((nibbles[digits.charCodeAt(i)] as number) << 4) | (nibbles[digits.charCodeAt(i + 1)] as number);
    }
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** ASCII alone, without its length. */
  ascii(text: string): this {
    let at = this.#room(text.length);
    for (let i = 0; i < text.length; i += 1) this.#bytes[at++] = text.charCodeAt(i);
    return this;
  }

  /** Any text, after its length in bytes. */
  text(text: string): this {
    const start = this.begin();
    if (text.length > shortText || !this.#isAscii(text)) {
      const at = this.#room(3 * text.length);
      this.#length = at + this.#bytes.write(text, at);
    }
    return this.end(start);
  }

  /** Leaves room for a length (u32); what is written up to `end` is what it counts. */
  begin(): number {
    return this.#room(4);
  }

  end(start: number): this {
    this.#bytes.writeUInt32BE(this.#length - start - 4, start);
    return this;
  }

  /** What was written; the writer is not used any more. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Writes the text if it is ASCII. */
  #isAscii(text: string): boolean {
    const before = this.#length;
    let at = this.#room(text.length);
    const bytes = this.#bytes;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        this.#length = before;
        return false;
      }
      bytes[at++] = code;
    }
    return true;
  }

  /** Makes room at the end, and says where it is. */
  #room(count: number): number {
    const at = this.#length;
    this.#length = at + count;
    if (this.#length > this.#bytes.length) this.#grow(at);
    return at;
  }

  #grow(used: number): void {
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length));
    this.#bytes.copy(larger, 0, 0, used);
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
