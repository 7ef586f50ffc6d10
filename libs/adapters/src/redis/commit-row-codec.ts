import type { CommitId } from '#core/commit';
import type { ChainId } from '#core/digest';
import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { PackReader, type PackWriter } from './packed.js';

/**
 * A commit's place in the DAG as a row of fixed width: id and chainID, two parents, depth, jump, layers of the stack (u32
 * each), bytes of its own, bytes in all and log offset (doubles). Repository and seq are where it stands.
 */
export const commitRowBytes = 32 + 32 + 5 * 4 + 3 * 8;

/** Rows of one string: 13.5 KiB, which wastes little of the allocator's next size and is read in one piece. */
export const commitRowsPerChunk = 128;

const noParent = 0xffff_ffff;
/** More than two: all of them stand elsewhere. */
const moreParents = 0xffff_fffe;

export function packCommitRow(writer: PackWriter, row: CommitRow): void {
  const [first = noParent, second = noParent] = row.parents;
  writer.hex(row.id).hex(row.chainId, 'sha256:'.length);
  writer.u32(first).u32(hasMoreParents(row) ? moreParents : second);
  writer.u32(row.depth).u32(row.jump).u32(row.stackLayers);
  writer.f64(row.ownBytes).f64(row.virtualBytes).f64(row.offset);
}

export function hasMoreParents({ parents }: Pick<CommitRow, 'parents'>): boolean {
  return parents.length > 2;
}

/** Whether the row at `at` needs the list of its parents to be read. */
export function namesMoreParents(rows: Buffer, at: number): boolean {
  return rows.readUInt32BE(at + 68) === moreParents;
}

export function readCommitRow(
  rows: Buffer,
  at: number,
  { repo, seq, more }: { readonly repo: RepositoryName; readonly seq: number; readonly more?: Buffer | undefined },
): CommitRow {
  return {
    repo,
    id: rows.toString('hex', at, at + 32) as CommitId,
    seq,
    parents: parentsAt(rows, at + 64, more),
    depth: rows.readUInt32BE(at + 72),
    jump: rows.readUInt32BE(at + 76),
    stackLayers: rows.readUInt32BE(at + 80),
    chainId: `sha256:${rows.toString('hex', at + 32, at + 64)}` as ChainId,
    ownBytes: rows.readDoubleBE(at + 84),
    virtualBytes: rows.readDoubleBE(at + 92),
    offset: rows.readDoubleBE(at + 100),
  };
}

function parentsAt(rows: Buffer, at: number, more: Buffer | undefined): readonly number[] {
  if (more) return readSeqs(more);
  const first = rows.readUInt32BE(at);
  const second = rows.readUInt32BE(at + 4);
  if (first === noParent) return [];
  return second === noParent ? [first] : [first, second];
}

export function packSeqs(writer: PackWriter, seqs: readonly number[]): void {
  for (const seq of seqs) writer.u32(seq);
}

function readSeqs(bytes: Buffer): number[] {
  const reader = new PackReader(bytes);
  const seqs: number[] = [];
  while (!reader.isAtEnd) seqs.push(reader.u32());
  return seqs;
}
