import type { CommitId } from '#core/commit';
import type { ChainId, Digest, DiffId } from '#core/digest';
import type { RefOperation } from '#core/event';
import type {
  BlobRow,
  CommitRow,
  LayerRow,
  Outcome,
  OutcomeRow,
  PartitionRow,
  ReflogRow,
  RepositoryRow,
} from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import type { SqlRow } from './database.js';

/** Between rows of tables and rows of the graph. What the graph wrote it may trust to be well-formed. */

const numbersPerRepository = 2 ** 32;

/** The key of a commit (by seq) or a move (by version) of a repository. */
export function keyOf(repository: number, number: number): number {
  return repository * numbersPerRepository + number;
}

export function numberOf(key: number): number {
  return key % numbersPerRepository;
}

export function bytesOfHex(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

export function bytesOfDigest(digest: Digest): Buffer {
  return Buffer.from(digest.slice('sha256:'.length), 'hex');
}

export function commitIdOfBytes(bytes: unknown): CommitId {
  return hexOfBytes(bytes) as CommitId;
}

export function hexOfBytes(bytes: unknown): string {
  const { buffer, byteOffset, byteLength } = bytes as Uint8Array;
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex');
}

function digestOfBytes(bytes: unknown): Digest {
  return `sha256:${hexOfBytes(bytes)}` as Digest;
}

export function repositoryOf(row: SqlRow): RepositoryRow {
  return {
    repo: row['repo'] as RepositoryName,
    generation: row['generation'] as number,
    defaultBranch: row['default_branch'] as RefName,
    moves: row['moves'] as number,
    commits: row['commits'] as number,
    floor: row['floor'] as number,
    createdAt: row['created_at'] as number,
  };
}

export function commitOf(repo: RepositoryName, row: SqlRow): CommitRow {
  return {
    repo,
    id: commitIdOfBytes(row['id']),
    seq: numberOf(row['key'] as number),
    parents: parentsOf(row['parents'] as string),
    depth: row['depth'] as number,
    jump: row['jump'] as number,
    stackLayers: row['stack_layers'] as number,
    chainId: digestOfBytes(row['chain_id']) as ChainId,
    ownBytes: row['own_bytes'] as number,
    virtualBytes: row['virtual_bytes'] as number,
    offset: row['offset'] as number,
  };
}

function parentsOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(' ').map(Number);
}

export function refValueOf(row: SqlRow): RefValue {
  return { commit: row['id'] === null ? null : commitIdOfBytes(row['id']), version: row['version'] as number };
}

export function reflogOf(repo: RepositoryName, row: SqlRow): ReflogRow {
  return {
    repo,
    ref: row['ref'] as RefName,
    version: numberOf(row['key'] as number),
    from: row['old'] === null ? null : commitIdOfBytes(row['old']),
    to: row['new'] === null ? null : commitIdOfBytes(row['new']),
    operation: row['operation'] as RefOperation,
    reason: row['reason'] as string,
    actor: { name: row['actor'] as string, verified: row['verified'] === 1 },
    txid: row['txid'] as string,
    offset: row['offset'] as number,
    time: row['time'] as number,
  };
}

export function outcomeOf(txid: string, row: SqlRow): OutcomeRow {
  return {
    txid,
    repo: row['repo'] as RepositoryName | null,
    request: row['request'] as string | null,
    offset: row['offset'] as number,
    time: row['time'] as number,
    stretch: row['stretch'] as number,
    outcome: JSON.parse(row['outcome'] as string) as Outcome,
  };
}

export function partitionOf(row: SqlRow): PartitionRow {
  return {
    rules: row['rules'] as number,
    gcEpoch: row['gc_epoch'] as number,
    fencedAt: row['fenced_at'] as number,
    time: row['time'] as number,
    gcRun: row['gc_run'] as string,
    stretches: JSON.parse(row['stretches'] as string) as PartitionRow['stretches'],
  };
}

export function layerOf(diffId: DiffId, row: SqlRow): LayerRow {
  const encodings = JSON.parse(row['encodings'] as string) as LayerRow['encodings'];
  return { diffId, tarBytes: row['tar_bytes'] as number, encodings };
}

export function blobOf(digest: Digest, row: SqlRow): BlobRow {
  return {
    digest,
    incarnation: row['incarnation'] as string,
    size: row['size'] as number,
    mediaType: row['media_type'] as string,
    retiredEpoch: row['retired_epoch'] as number | null,
    sweptEpoch: row['swept_epoch'] as number | null,
  };
}
