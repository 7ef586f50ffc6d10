/** One partition of a fetch answer. */
export interface FetchedPartition {
  readonly partition: number;
  /** Kafka's error code; 0 is none. */
  readonly errorCode: number;
  /** The high watermark: the offset the next record gets, as far as all replicas have it. */
  readonly end: number;
  /** Whole and perhaps one cut-off record batch, for `decodeRecordBatches`. */
  readonly batches: Buffer;
}

export interface FetchAnswer {
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

/** The version of Kafka's Fetch that this reads; brokers speak it since Kafka 2.3. */
export const fetchVersion = 11;

/**
 * Reads a Fetch answer of version 11 for one topic. kafkajs' own reader throws the whole answer away when one partition
 * has an error, and checks no checksums.
 */
export function decodeFetchAnswer(bytes: Buffer): FetchAnswer {
  const reader = new AnswerReader(bytes);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.skip(4);
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics -= 1) {
    const nameBytes = reader.int16();
    reader.skip(nameBytes);
    for (let left = reader.int32(); left > 0; left -= 1) partitions.push(decodePartition(reader));
  }
  return { clientSideThrottleTime, errorCode, partitions };
}

function decodePartition(reader: AnswerReader): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const end = reader.int64();
  // The last stable offset, the start of the log, and aborted transactions: there are no transactions on the log.
  reader.skip(16);
  reader.skip(16 * Math.max(0, reader.int32()));
  reader.skip(4);
  return { partition, errorCode, end, batches: reader.bytes(Math.max(0, reader.int32())) };
}

class AnswerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  int64(): number {
    this.#at += 8;
    return Number(this.#bytes.readBigInt64BE(this.#at - 8));
  }

  bytes(length: number): Buffer {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  skip(length: number): void {
    this.#at += length;
  }
}
