import type { Digest, DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobReader } from '#ports/blob-store';
import type { BodySource } from '#ports/body-source';
import type { RootfsPlan } from '#union/rootfs-plan';
import { LayerReads } from './layer-reads.js';
import { RootfsLayout } from './rootfs-layout.js';

/** Small, so that the first byte comes soon. */
const firstChunkBytes = 256 << 10;
const chunkBytes = 1 << 20;

/** Bytes of the tar, `[from, to)`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** Opens the uncompressed tar of a layer. */
export type OpenLayer = (diffId: DiffId) => Promise<BlobReader>;

/**
 * The canonical tar of a plan, or any range of it, in fresh chunks of 256 KiB and then 1 MiB. The same plan gives the
 * same bytes, always. Content is read straight into the chunks, the next chunk while the last one is being used; no
 * more than those two are held. Closes every reader it opened. When it throws, the bytes so far are no whole tar.
 * @throws RANGE_INVALID, CORRUPT (a layer is shorter than its index says), and what opening and reading throw
 * @see union/SPEC 4.3
 */
export async function* writeRootfs(
  plan: RootfsPlan,
  source: BodySource | OpenLayer,
  range: ByteRange = { from: 0, to: plan.length },
): AsyncGenerator<Uint8Array> {
  checkRange(range, plan.length);
  const reads = new LayerReads(typeof source === 'function' ? layersAlone(source) : source);
  const layout = new RootfsLayout(plan);
  const fill = async (from: number, bytes: number): Promise<Buffer> => {
    const chunk = Buffer.allocUnsafeSlow(Math.min(bytes, range.to - from));
    await reads.into(chunk, layout.pieces(from, from + chunk.length));
    // After the content: reading neighbours together may have written between them.
    layout.writeAround(chunk, from);
    return chunk;
  };
  let underway = fill(range.from, firstChunkBytes);
  try {
    for (let at = range.from; at < range.to;) {
      const chunk = await underway;
      at += chunk.length;
      underway = fill(at, chunkBytes);
      // Its error is thrown when its turn comes, and not before.
      underway.catch(() => {});
      yield chunk;
    }
  } finally {
    await underway.catch(() => {});
    await reads.close();
  }
}

/** No packs. */
function layersAlone(openLayer: OpenLayer): BodySource {
  return { openLayer, packed: () => undefined, openPack: noPack, forgetPack: () => undefined };
}

async function noPack(pack: Digest): Promise<never> {
  throw new VarveError('BLOB_UNKNOWN', `there is no pack ${pack}`, { pack });
}

function checkRange({ from, to }: ByteRange, length: number): void {
  if (Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from <= to && to <= length) return;
  throw new VarveError('RANGE_INVALID', `bytes ${from} to ${to} are not within the ${length} bytes of the tar`, {
    from,
    to,
    length,
  });
}
