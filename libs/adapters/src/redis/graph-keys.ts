import type { AliasKind } from '#core/graph-row';
import { commitRowsPerChunk } from './commit-row-codec.js';

/**
 * Where things are. Every key of partition 7 in generation g3-5fa0c1d2 starts with `varve:v3:g3-5fa0c1d2:{p07}:`, so that a
 * partition with its checkpoint lies in one slot and a batch is one script; the rest of the key is made here.
 *
 * | key | type | content |
 * | --- | --- | --- |
 * | `varve:v3:{p07}:live` | string | the generation that readers use |
 * | …`checkpoint` | hash | offset, record, state, partition; stretch, kept (the oldest one), outcomes of each (how many), what is removed |
 * | …`repos` | hash | name → repository |
 * | …`refs:REPO` | hash | ref → version and commit |
 * | …`c:CHUNK:REPO` | string | rows of 128 commits by seq, fixed width |
 * | …`m:REPO` | hash | seq → parents, for commits with more than two |
 * | …`b:CHUNK:REPO` | list | bytes of 32 commits by seq |
 * | …`i:BUCKET:REPO` | string | ids: first 4 bytes and seq, in the order of acceptance |
 * | …`a:BUCKET:REPO` | string | aliases: first 4 bytes, kind and seq |
 * | …`v:CHUNK:REPO` | list | 64 moves of the reflog by version |
 * | …`r:REF REPO` | string | versions of one ref's moves, u32 |
 * | …`o:STRETCH:CHUNK` | list | 32 outcomes of a stretch by number, in the order of the log |
 * | …`t:STRETCH:BUCKET` | string | transactions: first 4 bytes and the outcome's number |
 * | …`l:BUCKET`, …`d:BUCKET` | hash | layers by diffID, blobs by digest |
 * | …`retired` | sorted set | digest and incarnation of copies that were retired before anything named them |
 *
 * Ids are found by what they start with, and told apart by the rows themselves, which have them in full.
 */
export const graphFormat = 3;

export const bytesPerChunk = 32;
export const movesPerChunk = 64;
export const outcomesPerChunk = 32;

/** An index of the first entries has 16 buckets, of those that come later 4,096: a small one takes few keys, a large one short strings. */
export const fewEntries = 4_096;
export const idEntryBytes = 8;
export const aliasEntryBytes = 9;

/** Part of the format: a new kind goes to the end. */
export const aliasKinds: readonly AliasKind[] = ['v1', 'manifest', 'config', 'diff', 'chain'];

export function commitChunkKey(repo: string, seq: number): string {
  return `c:${Math.floor(seq / commitRowsPerChunk)}:${repo}`;
}

export function bytesChunkKey(repo: string, seq: number): string {
  return `b:${Math.floor(seq / bytesPerChunk)}:${repo}`;
}

/** Versions count from 1. */
export function movesChunkKey(repo: string, version: number): string {
  return `v:${Math.floor((version - 1) / movesPerChunk)}:${repo}`;
}

/** The bucket of a hex name in an index that had `count` entries before it. */
export function bucketOf(hex: string, count: number): string {
  return hex.slice(0, count < fewEntries ? 1 : 3);
}

/** Layers and blobs of a partition: 16,384 hashes of some 60 entries at a million. */
export function hashBucketOf(hex: string): string {
  return (Number.parseInt(hex.slice(0, 4), 16) >>> 2).toString(16);
}

/** No name of a ref has a space in it. */
export function refMovesKey(repo: string, ref: string): string {
  return `r:${ref} ${repo}`;
}

/** What generations of a graph share. `prefix` ends in a colon. */
export class GraphKeys {
  readonly prefix: string;
  readonly partitionCount: number;

  constructor(prefix: string, partitionCount: number) {
    this.prefix = `${prefix}v${graphFormat}:`;
    this.partitionCount = partitionCount;
  }

  get meta(): string {
    return `${this.prefix}meta`;
  }

  /** The claim of the process that builds a generation; its value is the generation's name. */
  get claim(): string {
    return `${this.prefix}claim`;
  }

  /** The generations that have keys, whole or not. */
  get generations(): string {
    return `${this.prefix}generations`;
  }

  /** Who listens hears of batches (one channel a partition) and of promotions. */
  appliedChannel(partition: number): string {
    return `${this.prefix}applied:${partition}`;
  }

  get promotedChannel(): string {
    return `${this.prefix}promoted`;
  }

  live(partition: number): string {
    return `${this.prefix}${tagOf(partition)}live`;
  }

  get allLive(): string[] {
    return Array.from({ length: this.partitionCount }, (_, partition) => this.live(partition));
  }

  /** What all keys of a partition in a generation start with. */
  start(generation: string, partition: number): string {
    return `${this.prefix}${generation}:${tagOf(partition)}`;
  }
}

function tagOf(partition: number): string {
  return `{p${String(partition).padStart(2, '0')}}:`;
}
