import { isVarveError } from '#core/error';
import { rawTar } from '../../../test/fixture/raw-tar.js';
import { readTar } from './read-tar.js';

/** A source that tells what was asked of it. */
class Source implements AsyncIterable<Uint8Array> {
  pulled = 0;
  closed = false;
  constructor(
    readonly bytes: Buffer,
    readonly pieceBytes: number,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < this.bytes.length; at += this.pieceBytes) {
        this.pulled += this.pieceBytes;
        yield this.bytes.subarray(at, at + this.pieceBytes);
      }
    } finally {
      this.closed = true;
    }
  }
}

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}

async function drain(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const entry of entries) void entry;
}

describe('readTar', () => {
  const tar = rawTar([
    { name: 'a', body: 'first' },
    { name: 'skipped', body: 'x'.repeat(100_000) },
    { name: 'b', body: 'last' },
  ]);

  it('reads the bodies that are asked for, and skips the others', async () => {
    for (const pieceBytes of [100, 512, 1 << 20]) {
      const found: string[] = [];
      for await (const entry of readTar(new Source(tar, pieceBytes))) {
        if (entry.path.toString() !== 'skipped') found.push(`${entry.path.toString()}=${await text(entry.body())}`);
      }
      expect(found).toEqual(['a=first', 'b=last']);
    }
  });

  it('pulls no more than it was asked for, and closes the source when it is left', async () => {
    const source = new Source(tar, 512);
    for await (const entry of readTar(source)) {
      expect(entry.path.toString()).toBe('a');
      break;
    }
    expect(source.pulled).toBe(512);
    expect(source.closed).toBe(true);
  });

  it('reads a sparse file with its holes', async () => {
    const pax = { 'GNU.sparse.map': '2,1,5,2', 'GNU.sparse.size': '9' };
    for await (const entry of readTar(new Source(rawTar([{ name: 's', body: 'abc', pax }]), 513))) {
      expect(entry.size).toBe(9);
      expect(await text(entry.body())).toBe('\0\0a\0\0bc\0\0');
    }
  });

  it('refuses a cut-off archive as an archive, and closes the source', async () => {
    const source = new Source(tar.subarray(0, 5000), 1000);
    const refused = await drain(readTar(source)).catch((error: unknown) => error);
    expect(isVarveError(refused, 'ARCHIVE_INVALID')).toBe(true);
    expect(source.closed).toBe(true);
  });
});
