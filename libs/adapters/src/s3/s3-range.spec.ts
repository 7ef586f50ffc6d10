import { Readable } from 'node:stream';
import { receiveRange } from './s3-range.js';

/** An answer of a server, as the client hands it on. */
function answer(headers: Record<string, string>, pieces: readonly (string | Error)[]): Readable {
  async function* body(): AsyncGenerator<Buffer> {
    for (const piece of pieces) {
      if (piece instanceof Error) throw piece;
      yield Buffer.from(piece);
    }
  }
  return Object.assign(Readable.from(body()), { headers });
}

const broken = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });

describe('receiveRange', () => {
  const wanted = (from: number, bytes: number, ends: number[] = []) => ({
    key: 'k',
    from,
    target: Buffer.alloc(bytes, '-'),
    ends,
  });

  it('fills the target and tells the size and the name of the whole', async () => {
    const got = await receiveRange(
      answer({ 'content-range': 'bytes 2-6/9', etag: '"e"' }, ['cd', 'efg']),
      wanted(2, 5),
    );
    expect({ ...got, bytes: String(got.bytes) }).toEqual({ bytes: 'cdefg', size: 9, etag: '"e"' });
  });

  it('gives fewer bytes at the end, and all of an answer without a range', async () => {
    const end = await receiveRange(answer({ 'content-range': 'bytes 7-8/9' }, ['hi']), wanted(7, 100));
    expect(String(end.bytes)).toBe('hi');
    const whole = await receiveRange(answer({ 'content-length': '3' }, ['abc']), wanted(0, 100));
    expect({ size: whole.size, bytes: String(whole.bytes) }).toEqual({ size: 3, bytes: 'abc' });
  });

  it('refuses a server that answers other bytes than were asked for', async () => {
    await expect(receiveRange(answer({ 'content-length': '9' }, ['abcdefghi']), wanted(2, 5))).rejects.toThrow(
      /ranges/,
    );
    const other = answer({ 'content-range': 'bytes 0-4/9' }, ['abcde']);
    await expect(receiveRange(other, wanted(2, 5))).rejects.toThrow(/ranges/);
  });

  it('takes an answer that breaks off for a broken connection, until it has done so three times at one byte', async () => {
    const ends: number[] = [];
    const attempt = (...pieces: (string | Error)[]) =>
      receiveRange(answer({ 'content-range': 'bytes 0-8/9' }, pieces), wanted(0, 9, ends));
    for (const pieces of [['abc', broken], ['a', broken], ['abc'], [broken], ['ab', 'cd', broken]]) {
      await expect(attempt(...pieces)).rejects.toMatchObject({ code: 'ECONNRESET' });
    }
    await expect(attempt('abc', broken)).rejects.toMatchObject({ code: 'CORRUPT', detail: { end: 3, size: 9 } });
  });
});
