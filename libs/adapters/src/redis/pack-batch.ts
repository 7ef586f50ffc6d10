import type { Digest } from '#core/digest';
import {
  type BlobRow,
  type Change,
  isNamedCopy,
  keptStretches,
  type PartitionRow,
  type RepositoryRow,
} from '#core/graph-row';
import { check, write } from './apply-script.js';
import { commitRowBytes, commitRowsPerChunk, hasMoreParents, packCommitRow, packSeqs } from './commit-row-codec.js';
import {
  aliasEntryBytes,
  aliasKinds,
  bucketOf,
  bytesChunkKey,
  bytesPerChunk,
  commitChunkKey,
  hashBucketOf,
  idEntryBytes,
  movesChunkKey,
  movesPerChunk,
  refMovesKey,
} from './graph-keys.js';
import {
  packCopy,
  packIncarnation,
  packLayer,
  packMove,
  packOutcome,
  packPartition,
  packRef,
  packRepository,
  retiredMember,
} from './graph-row-codec.js';
import { PackWriter } from './packed.js';

type ChangeOf<Type extends Change['type']> = Extract<Change, { type: Type }>;

/** A batch as the apply script takes it. */
export interface PackedBatch {
  /** '' when it stays as it is. */
  readonly partition: string;
  /** The current stretch and the oldest one whose outcomes are kept; '' when they stay. */
  readonly stretches: readonly [current: number | '', kept: number | ''];
  readonly checks: Buffer;
  readonly writes: Buffer;
}

const hexOfDigest = 'sha256:'.length;
const digestBytes = 32;

/** Makes of changes what is to be checked and what is to be written; the keys are without the start of their generation. */
export function packBatch(changes: readonly Change[]): PackedBatch {
  const packing = new BatchPacking();
  let partition: PartitionRow | undefined;
  for (const change of changes) {
    if (change.type === 'partition') partition = change.after;
    else packing.add(change);
  }
  return {
    partition: partition ? packPartition(partition) : '',
    stretches: partition ? stretchesIn(partition) : ['', ''],
    ...packing.done(),
  };
}

/** Rows that stand side by side in one string, waiting to be written at once. */
interface OpenChunk {
  readonly key: string;
  readonly rows: PackWriter;
}

class BatchPacking {
  readonly #checks = new PackWriter(1 << 10);
  readonly #writes = new PackWriter(1 << 16);
  readonly #checked = new Set<string>();
  readonly #created = new Set<string>();
  readonly #chunks = new Map<string, OpenChunk>();
  readonly #versions = new Map<string, PackWriter>();

  add(change: Exclude<Change, { type: 'partition' }>): void {
    switch (change.type) {
      case 'repository':
        return this.#repository(change.before, change.after);
      case 'commit':
        return this.#commit(change);
      case 'ref':
        return this.#ref(change);
      case 'reflog':
        return this.#move(change.after);
      case 'outcome': {
        const { txid, stretch } = change.after;
        this.#writes
          .u8(write.outcome)
          .text(String(stretch))
          .u32(txid.length / 2)
          .hex(txid);
        this.#value(this.#writes, packOutcome, change.after);
        return;
      }
      case 'layer':
        this.#named(write.set, 'l', change.after.diffId);
        this.#value(this.#writes, packLayer, change.after);
        return;
      case 'blob':
        return this.#blob(change);
    }
  }

  done(): { readonly checks: Buffer; readonly writes: Buffer } {
    for (const { key, rows } of this.#chunks.values()) this.#bytes(write.appendRows, key, rows.done());
    for (const [key, versions] of this.#versions) this.#bytes(write.append, key, versions.done());
    return { checks: this.#checks.done(), writes: this.#writes.done() };
  }

  #repository(before: RepositoryRow | null, after: RepositoryRow): void {
    if (before) this.#repositoryIsThere(after.repo);
    else this.#created.add(after.repo);
    this.#writes.u8(write.set).text('repos').text(after.repo).text(packRepository(after));
  }

  #commit({ after, bytes, aliases }: ChangeOf<'commit'>): void {
    const { repo, id, seq } = after;
    this.#repositoryIsThere(repo);
    const rowsKey = commitChunkKey(repo, seq);
    let chunk = this.#chunks.get(rowsKey);
    if (!chunk) {
      this.#isLong(check.stringBytes, rowsKey, (seq % commitRowsPerChunk) * commitRowBytes);
      chunk = { key: rowsKey, rows: new PackWriter(commitRowsPerChunk * commitRowBytes) };
      this.#chunks.set(rowsKey, chunk);
    }
    packCommitRow(chunk.rows, after);
    if (hasMoreParents(after)) {
      this.#value(this.#writes.u8(write.set).text(`m:${repo}`).text(String(seq)), packSeqs, after.parents);
    }
    const bytesKey = bytesChunkKey(repo, seq);
    this.#isLong(check.listLength, bytesKey, seq % bytesPerChunk);
    this.#bytes(write.push, bytesKey, bytes);

    this.#writes
      .u8(write.append)
      .text(`i:${bucketOf(id, seq)}:${repo}`)
      .u32(idEntryBytes)
      .hex(id, 0, 8)
      .u32(seq);
    for (const { hex, kind } of aliases) {
      const key = `a:${bucketOf(hex, seq)}:${repo}`;
      const code = aliasKinds.indexOf(kind);
      this.#writes.u8(write.append).text(key).u32(aliasEntryBytes).hex(hex, 0, 8).u8(code).u32(seq);
    }
  }

  #ref({ repo, ref, after }: ChangeOf<'ref'>): void {
    this.#repositoryIsThere(repo);
    this.#value(this.#writes.u8(write.set).text(`refs:${repo}`).text(ref), packRef, after);
  }

  #move(move: ChangeOf<'reflog'>['after']): void {
    const { repo, ref, version } = move;
    this.#repositoryIsThere(repo);
    const key = movesChunkKey(repo, version);
    this.#isLong(check.listLength, key, (version - 1) % movesPerChunk);
    this.#value(this.#writes.u8(write.push).text(key), packMove, move);
    const refKey = refMovesKey(repo, ref);
    const versions = this.#versions.get(refKey);
    if (versions) versions.u32(version);
    else this.#versions.set(refKey, new PackWriter(16).u32(version));
  }

  #blob({ before, after }: ChangeOf<'blob'>): void {
    const { digest, incarnation } = (after ?? before) as BlobRow;
    this.#named(write.copy, 'd', digest);
    this.#value(this.#writes, packIncarnation, incarnation);
    if (after) this.#value(this.#writes, packCopy, after);
    else this.#writes.u32(0);
    if (isRetiredUnnamed(before) === isRetiredUnnamed(after)) return;
    const kind = isRetiredUnnamed(after) ? write.include : write.exclude;
    this.#bytes(kind, 'retired', retiredMember({ digest, incarnation }));
  }

  /** Changes put a repository before what is in it; one that they do not make must be there. */
  #repositoryIsThere(repo: string): void {
    if (this.#created.has(repo) || !this.#isNew(`repository ${repo}`)) return;
    this.#checks.u8(check.repository).text(repo);
  }

  /** As it must be when the first of this batch is put to it. */
  #isLong(kind: number, key: string, length: number): void {
    if (this.#isNew(key)) this.#checks.u8(kind).text(key).u32(length);
  }

  #isNew(key: string): boolean {
    if (this.#checked.has(key)) return false;
    this.#checked.add(key);
    return true;
  }

  #bytes(kind: number, key: string, value: Uint8Array): void {
    this.#writes.u8(kind).text(key).u32(value.length).bytes(value);
  }

  /** A field of one of the hashes that digests are spread over. */
  #named(kind: number, hash: string, digest: Digest): void {
    const key = `${hash}:${hashBucketOf(digest.slice(hexOfDigest, hexOfDigest + 4))}`;
    this.#writes.u8(kind).text(key).u32(digestBytes).hex(digest, hexOfDigest);
  }

  #value<Row>(writes: PackWriter, pack: (writer: PackWriter, row: Row) => void, row: Row): void {
    const start = writes.begin();
    pack(writes, row);
    writes.end(start);
  }
}

function stretchesIn(partition: PartitionRow): PackedBatch['stretches'] {
  const { first, last } = keptStretches(partition);
  return [last, first];
}

function isRetiredUnnamed(row: BlobRow | null): boolean {
  return row !== null && row.retiredEpoch !== null && !isNamedCopy(row);
}
