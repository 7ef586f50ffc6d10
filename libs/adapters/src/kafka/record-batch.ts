import { VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { crc32c } from './crc32c.js';

// Where things stand in a record batch of format 2, the only one since Kafka 0.11.
const lengthAt = 8;
const headBytes = 12;
const formatAt = 16;
const checksumAt = 17;
const attributesAt = 21;
const baseTimeAt = 27;
const maxTimeAt = 35;
const countAt = 57;
const recordsAt = 61;

const compressionMask = 0x07;
const logAppendTimeFlag = 0x08;
const controlFlag = 0x20;

/**
 * The records of the batches in a fetch answer, which may begin before the offset that was asked for and may end in the
 * middle of a batch. Control batches hold no records of ours; their offsets show as a gap.
 * @throws CORRUPT when a batch does not have its checksum, UNSUPPORTED for compressed batches and older formats
 */
export function decodeRecordBatches(bytes: Buffer): LogRecord[] {
  const records: LogRecord[] = [];
  for (let at = 0; at + headBytes <= bytes.length;) {
    const end = at + headBytes + bytes.readInt32BE(at + lengthAt);
    if (end > bytes.length) break;
    decodeBatch(bytes.subarray(at, end), records);
    at = end;
  }
  return records;
}

function decodeBatch(batch: Buffer, records: LogRecord[]): void {
  const baseOffset = Number(batch.readBigInt64BE(0));
  const format = batch[formatAt];
  if (format !== 2) throw unsupported(baseOffset, `has record format ${format}, and this reads format 2 only`);
  if (crc32c(batch.subarray(attributesAt)) !== batch.readUInt32BE(checksumAt)) {
    throw new VarveError('CORRUPT', `the batch at offset ${baseOffset} does not have its checksum`, {
      offset: baseOffset,
    });
  }
  const attributes = batch.readInt16BE(attributesAt);
  if (attributes & controlFlag) return;
  if (attributes & compressionMask) {
    throw unsupported(baseOffset, 'is compressed: set the topic to compression.type=producer');
  }
  const baseTime = Number(batch.readBigInt64BE(baseTimeAt));
  const appendTime = attributes & logAppendTimeFlag ? Number(batch.readBigInt64BE(maxTimeAt)) : undefined;
  const reader = new RecordReader(batch, recordsAt);
  for (let left = batch.readInt32BE(countAt); left > 0; left -= 1) {
    const { timeDelta, offsetDelta, value } = reader.next();
    records.push({ offset: baseOffset + offsetDelta, time: appendTime ?? baseTime + timeDelta, bytes: value });
  }
}

/** Reads records one after the other; keys and headers are passed over, for nothing depends on them. */
class RecordReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  next(): { timeDelta: number; offsetDelta: number; value: Uint8Array } {
    const length = this.#integer();
    const end = this.#at + length;
    this.#at += 1;
    const timeDelta = this.#integer();
    const offsetDelta = this.#integer();
    const keyBytes = Math.max(0, this.#integer());
    this.#at += keyBytes;
    const size = Math.max(0, this.#integer());
    const value = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at = end;
    return { timeDelta, offsetDelta, value };
  }

  /** A zigzag varint of up to 64 bits; ours stay far below 2^53. */
  #integer(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at] as number;
      this.#at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }
}

function unsupported(offset: number, what: string): VarveError {
  return new VarveError('UNSUPPORTED', `the batch at offset ${offset} ${what}`, { offset });
}
