import type { BlobRow, Change, PartitionRow, RepositoryRow } from '#core/graph-row';
import { check, write } from './apply-script.js';
import { commitRowBytes, commitRowsPerChunk, hasMoreParents, packCommitRow, packSeqs } from './commit-row-codec.js';
import {
  aliasKinds,
  bucketOf,
  bytesChunkKey,
  bytesPerChunk,
  commitChunkKey,
  hashBucketOf,
  movesChunkKey,
  movesPerChunk,
  refMovesKey,
} from './graph-keys.js';
import {
  packCopy,
  packedIncarnation,
  packLayer,
  packMove,
  packOutcome,
  packPartition,
  packRef,
  packRepository,
} from './graph-row-codec.js';
import { PackWriter } from './packed.js';

type ChangeOf<Type extends Change['type']> = Extract<Change, { type: Type }>;

/** A batch as the apply script takes it. */
export interface PackedBatch {
  /** '' when it stays as it is. */
  readonly partition: string;
  readonly checks: Buffer;
  readonly writes: Buffer;
}

const hexOfDigest = 'sha256:'.length;

/** Makes of changes what is to be checked and what is to be written; the keys are without the start of their generation. */
export function packBatch(changes: readonly Change[]): PackedBatch {
  const packing = new BatchPacking();
  let partition: PartitionRow | undefined;
  for (const change of changes) {
    if (change.type === 'partition') partition = change.after;
    else packing.add(change);
  }
  return { partition: partition ? packPartition(partition) : '', ...packing.done() };
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
        this.#repositoryIsThere(change.repo);
        this.#op(write.set, `refs:${change.repo}`, Buffer.from(change.ref), packRef(change.after));
        return;
      case 'reflog':
        return this.#move(change.after);
      case 'outcome':
        this.#op(write.outcome, Buffer.from(change.after.txid, 'hex'), packOutcome(change.after));
        return;
      case 'layer': {
        const hex = change.after.diffId.slice(hexOfDigest);
        this.#op(write.set, `l:${hashBucketOf(hex)}`, Buffer.from(hex, 'hex'), packLayer(change.after));
        return;
      }
      case 'blob':
        return this.#blob(change);
    }
  }

  done(): { readonly checks: Buffer; readonly writes: Buffer } {
    for (const { key, rows } of this.#chunks.values()) this.#op(write.appendRows, key, rows.done());
    for (const [key, versions] of this.#versions) this.#op(write.append, key, versions.done());
    return { checks: this.#checks.done(), writes: this.#writes.done() };
  }

  #repository(before: RepositoryRow | null, after: RepositoryRow): void {
    if (before) this.#repositoryIsThere(after.repo);
    else this.#created.add(after.repo);
    this.#op(write.set, 'repos', Buffer.from(after.repo), Buffer.from(packRepository(after)));
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
      const parents = new PackWriter(4 * after.parents.length);
      packSeqs(parents, after.parents);
      this.#op(write.set, `m:${repo}`, Buffer.from(String(seq)), parents.done());
    }

    const bytesKey = bytesChunkKey(repo, seq);
    this.#isLong(check.listLength, bytesKey, seq % bytesPerChunk);
    this.#op(write.push, bytesKey, bytes);

    const entry = this.#begin(write.append, `i:${bucketOf(id, seq)}:${repo}`);
    this.#writes.hex(id.slice(0, 8)).u32(seq);
    this.#end(entry);
    for (const { hex, kind } of aliases) {
      const alias = this.#begin(write.append, `a:${bucketOf(hex, seq)}:${repo}`);
      this.#writes.hex(hex.slice(0, 8)).u8(aliasKinds.indexOf(kind)).u32(seq);
      this.#end(alias);
    }
  }

  #move(move: ChangeOf<'reflog'>['after']): void {
    const { repo, ref, version } = move;
    this.#repositoryIsThere(repo);
    const key = movesChunkKey(repo, version);
    this.#isLong(check.listLength, key, (version - 1) % movesPerChunk);
    this.#op(write.push, key, packMove(move));
    const versions = this.#versions.get(refMovesKey(repo, ref)) ?? new PackWriter(16);
    this.#versions.set(refMovesKey(repo, ref), versions.u32(version));
  }

  #blob({ before, after }: ChangeOf<'blob'>): void {
    const { digest, incarnation } = (after ?? before) as BlobRow;
    const hex = digest.slice(hexOfDigest);
    const copy = after ? packCopy(after) : Buffer.alloc(0);
    this.#op(write.copy, `d:${hashBucketOf(hex)}`, Buffer.from(hex, 'hex'), packedIncarnation(incarnation), copy);
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

  #op(kind: number, ...parts: readonly (string | Uint8Array)[]): void {
    this.#writes.u8(kind);
    for (const part of parts) {
      if (typeof part === 'string') this.#writes.text(part);
      else this.#writes.u32(part.length).bytes(part);
    }
  }

  /** For a last part that is written in place; its length is put in by `#end`. */
  #begin(kind: number, key: string): number {
    this.#writes.u8(kind).text(key).u32(0);
    return this.#writes.length;
  }

  #end(start: number): void {
    this.#writes.patchU32(start - 4, this.#writes.length - start);
  }
}
