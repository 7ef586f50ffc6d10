import { randomFillSync } from 'node:crypto';
import { headerBytes, newHeader, padded, writeHeader } from '#tar/tar-header';

/** A layer that is made while it is read: `files` files from number `first` on, a hundred in a folder. */
export interface SyntheticLayer {
  readonly first: number;
  readonly files: number;
  readonly bodyBytes: number;
}

const pieceBytes = 1 << 20;
const bodies = randomFillSync(Buffer.alloc(4 << 20));

/** Its tar in pieces of about 1 MiB. Bodies are taken from 4 MiB of random bytes, so that making them costs little. */
export async function* layerStream({ first, files, bodyBytes }: SyntheticLayer): AsyncGenerator<Uint8Array> {
  const header = newHeader();
  header.mode = 0o644;
  header.size = bodyBytes;
  let piece = Buffer.alloc(pieceBytes);
  let at = 0;
  for (let file = first; file < first + files; file++) {
    header.path = Buffer.from(pathOf(file));
    header.pathLength = header.path.length;
    const length = headerBytes(header) + padded(bodyBytes);
    if (at + length > piece.length) {
      yield piece.subarray(0, at);
      piece = Buffer.alloc(Math.max(pieceBytes, length));
      at = 0;
    }
    const bodyAt = at + writeHeader(header, piece, at);
    const from = (file * 4099) % (bodies.length - bodyBytes);
    bodies.copy(piece, bodyAt, from, from + bodyBytes);
    at += length;
  }
  yield piece.subarray(0, at);
  yield Buffer.alloc(1024);
}

/** The path of a file of a synthetic layer. */
export function pathOf(file: number): string {
  const folder = Math.floor(file / 100);
  return `usr/lib/part-${Math.floor(folder / 100)}/folder-${folder}/file-${file}`;
}
