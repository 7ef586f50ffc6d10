import { createRequire } from 'node:module';
import { crc32c } from './crc32c.js';
import { decodeFetchAnswer } from './fetch-codec.js';
import { decodeRecordBatches } from './record-batch.js';

/** kafkajs writes what it sends as brokers write what they answer: an encoder that is not ours. */
const internal = createRequire(import.meta.url);
const encodeRecord = internal('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => object;
const { RecordBatch } = internal('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<{ readonly buffer: Buffer }>;
};

const at = 1_700_000_000_000;

async function batchOf(firstOffset: number, values: readonly Buffer[], attributes = 0): Promise<Buffer> {
  const records = values.map((value, offsetDelta) =>
    encodeRecord({ offsetDelta, timestampDelta: offsetDelta * 10, key: 'team/app', value, headers: { trace: 'x' } }),
  );
  const { buffer } = await RecordBatch({
    firstOffset,
    firstTimestamp: at,
    maxTimestamp: at + 5_000,
    lastOffsetDelta: values.length - 1,
    producerId: -1,
    producerEpoch: -1,
    records,
  });
  const batch = Buffer.from(buffer);
  batch.writeInt16BE(attributes, 21);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

it('has the check value of CRC-32C, and not that of CRC-32', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});

describe('record batches', () => {
  const values = [Buffer.from('a'), Buffer.alloc(0), Buffer.alloc(70_000, 7)];

  it('are read as another encoder wrote them, offsets and times of their own', async () => {
    const bytes = Buffer.concat([await batchOf(5, values), await batchOf(8, [Buffer.from('d')])]);
    const records = decodeRecordBatches(bytes);
    expect(records.map(({ offset }) => offset)).toEqual([5, 6, 7, 8]);
    expect(records.map(({ time }) => time)).toEqual([at, at + 10, at + 20, at]);
    expect(records.map(({ bytes: value }) => Buffer.from(value))).toEqual([...values, Buffer.from('d')]);
  });

  it('have the time the broker gave them, when it gives times', async () => {
    const records = decodeRecordBatches(await batchOf(0, values, 0x08));
    expect(records.map(({ time }) => time)).toEqual([at + 5_000, at + 5_000, at + 5_000]);
  });

  it('are left out when they are cut off, wherever that is', async () => {
    const [first, second] = [await batchOf(0, [Buffer.from('a')]), await batchOf(1, [Buffer.from('b')])];
    const bytes = Buffer.concat([first, second]);
    for (let length = first.length; length < bytes.length; length += 1) {
      expect(decodeRecordBatches(bytes.subarray(0, length))).toHaveLength(1);
    }
    expect(decodeRecordBatches(bytes)).toHaveLength(2);
  });

  it('are CORRUPT when one bit is another', async () => {
    const batch = await batchOf(3, [Buffer.from('a record')]);
    for (let byte = 21; byte < batch.length; byte += 1) {
      const damaged = Buffer.from(batch);
      damaged[byte] = (damaged[byte] as number) ^ 0x10;
      expect(() => decodeRecordBatches(damaged)).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    }
  });

  it('of transaction markers hold nothing of ours', async () => {
    expect(decodeRecordBatches(await batchOf(0, [Buffer.from('marker')], 0x20))).toEqual([]);
  });

  it('are UNSUPPORTED when compressed, and the message says what to set', async () => {
    const compressed = await batchOf(0, values, 0x04);
    expect(() => decodeRecordBatches(compressed)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('compression.type=producer') }),
    );
  });
});

it('reads an answer of several partitions, each with its own error', async () => {
  const batches = await batchOf(4, [Buffer.from('a')]);
  const partition = (id: number, error: number, records: Buffer) =>
    Buffer.concat([
      int32(id),
      int16(error),
      int64(7),
      int64(7),
      int64(0),
      int32(-1),
      int32(-1),
      int32(records.length),
      records,
    ]);
  const name = Buffer.from('varve');
  const answer = Buffer.concat([
    int32(3),
    int16(0),
    int32(0),
    int32(1),
    int16(name.length),
    name,
    int32(2),
    partition(0, 1, Buffer.alloc(0)),
    partition(1, 0, batches),
  ]);
  expect(decodeFetchAnswer(answer)).toEqual({
    clientSideThrottleTime: 3,
    errorCode: 0,
    partitions: [
      { partition: 0, errorCode: 1, end: 7, batches: Buffer.alloc(0) },
      { partition: 1, errorCode: 0, end: 7, batches },
    ],
  });
});

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
