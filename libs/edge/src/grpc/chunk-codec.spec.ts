import { CheckoutResponse } from '#proto/gen/varve/v1/checkout';
import { CommitRequest } from '#proto/gen/varve/v1/commit';
import { chunkOf, decodeChunk, encodeChunk } from './chunk-codec.js';

const sizes = [0, 1, 127, 128, 16_383, 16_384, 1 << 20, (1 << 21) + 1];

describe('a chunk', () => {
  it.each(sizes)('of %d bytes is written as the generated codec writes it, and read as that reads it', (size) => {
    const value = Buffer.alloc(size, 7);
    const message = CheckoutResponse.create({ part: { $case: 'chunk', value } });
    const bytes = Buffer.from(CheckoutResponse.encode(message).finish());
    expect(chunkOf(message)).toBe(value);
    expect(encodeChunk(value).equals(bytes)).toBe(true);
    expect(decodeChunk(bytes)?.equals(value)).toBe(true);
  });

  it.each([
    ['a header', CommitRequest.create({ part: { $case: 'header', value: { repo: 'app' } } })],
    ['nothing', CommitRequest.create({})],
  ])('is not %s', (_, message) => {
    expect(chunkOf(message)).toBeUndefined();
    expect(decodeChunk(Buffer.from(CommitRequest.encode(message).finish()))).toBeUndefined();
  });

  it('is not what says more, or breaks off: the generated codec judges those', () => {
    const bytes = encodeChunk(Buffer.from('abc'));
    expect(decodeChunk(Buffer.concat([bytes, bytes]))).toBeUndefined();
    expect(decodeChunk(bytes.subarray(0, 4))).toBeUndefined();
    expect(decodeChunk(Buffer.from([0x12]))).toBeUndefined();
    expect(decodeChunk(Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]))).toBeUndefined();
  });
});
