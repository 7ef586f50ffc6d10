import type { RootfsDownload } from './rootfs-download.js';
import type { RequestBody } from './transport.js';

/** How far bytes on their way are. `doneBytes` begins again at 0 when an upload is sent again; `totalBytes` null: nobody knows. */
export interface TransferProgress {
  readonly direction: 'up' | 'down';
  readonly doneBytes: number;
  readonly totalBytes: number | null;
}

export type OnProgress = (progress: TransferProgress) => void;

/** The same body, and its bytes are told as the connection takes them. */
export function countedBody(body: RequestBody, onProgress: OnProgress): RequestBody {
  const { contentType, sizeBytes, repeatable } = body;
  return {
    contentType,
    sizeBytes,
    repeatable,
    open: (over) => counted(body.open(over), { direction: 'up', totalBytes: sizeBytes }, onProgress),
  };
}

/** The same download, and its bytes are told as its reader takes them; those of all its pieces together. */
export function countedDownload(download: RootfsDownload, onProgress: OnProgress): RootfsDownload {
  const { lengthBytes: totalBytes, etag } = download;
  let doneBytes = 0;
  const tell: OnProgress = ({ doneBytes: bytes }) => {
    doneBytes += bytes;
    onProgress({ direction: 'down', doneBytes, totalBytes });
  };
  return {
    lengthBytes: totalBytes,
    etag,
    chunks: () => eachCounted(download.chunks(), tell),
    pieces: (count) =>
      download.pieces(count).map((piece) => ({ from: piece.from, chunks: () => eachCounted(piece.chunks(), tell) })),
    stop: () => download.stop(),
  };
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  transfer: Omit<TransferProgress, 'doneBytes'>,
  onProgress: OnProgress,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    doneBytes += chunk.length;
    onProgress({ ...transfer, doneBytes });
  }
}

/** Tells each chunk alone. */
async function* eachCounted(chunks: AsyncIterable<Uint8Array>, tell: OnProgress): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    tell({ direction: 'down', doneBytes: chunk.length, totalBytes: null });
    yield chunk;
  }
}
