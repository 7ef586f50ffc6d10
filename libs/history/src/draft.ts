import type { EncodedCommit } from '#core/commit';
import type { NamedBlob, RefOperation } from '#core/event';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import type { RefUpdate } from '#core/ref';

/** What a proposal brings: blobs that are stored, commits with parents before children. */
export interface Content {
  readonly blobs: readonly NamedBlob[];
  readonly commits: readonly EncodedCommit[];
}

interface Draft extends Content {
  readonly repo: RepositoryName;
  readonly operation: RefOperation;
  readonly updates: readonly RefUpdate[];
  /** The GC fence that was the last one before the blobs were sealed; without blobs it may be left out. */
  readonly gcEpoch?: number | undefined;
  /** Tells apart the transactions of one write under one idempotency key; the one that counts has none. */
  readonly step?: string | undefined;
}

/** A proposal before it has a transaction, an actor and a reason. */
export type ProposalDraft =
  | (Draft & { readonly type: 'repo.create.v1'; readonly defaultBranch: RefName })
  | (Draft & { readonly type: 'commit.batch.v1' | 'ref.update.v1' });

/** What stands in a record beside blobs and commits: envelope, actor, reason. */
const envelopeBytesMax = 40 << 10;
/** What one blob takes at most but for its media type, and one update but for its ref. */
const blobBytesMax = 512;
const updateBytesMax = 320;
const contentBytesMax = limit.recordBytesMax - envelopeBytesMax;

/**
 * A draft as what must go before it in records of its own, and itself with the rest: what fits stays with the ref
 * moves, so an ordinary write is one record. Blobs go first, because commits need them. @see event-log 1.6 rule 7
 */
export function splitDraft(draft: ProposalDraft): {
  readonly before: readonly Content[];
  readonly last: ProposalDraft;
} {
  const fits = sizeOf(draft) + sizeOfUpdates(draft.updates) <= contentBytesMax;
  // Nothing can go before a creation: it is one record or too large.
  if (fits || draft.type === 'repo.create.v1') return { before: [], last: draft };
  return { before: [...pagesOf(draft)], last: { ...draft, blobs: [], commits: [] } };
}

function* pagesOf({ blobs, commits }: Content): Generator<Content> {
  let page: { blobs: NamedBlob[]; commits: EncodedCommit[] } = { blobs: [], commits: [] };
  let room = contentBytesMax;
  for (const item of [...blobs, ...commits]) {
    const size = 'bytes' in item ? sizeOfCommit(item) : sizeOfBlob(item);
    if (size > room) {
      yield page;
      page = { blobs: [], commits: [] };
      room = contentBytesMax;
    }
    room -= size;
    if ('bytes' in item) page.commits.push(item);
    else page.blobs.push(item);
  }
  yield page;
}

function sizeOf({ blobs, commits }: Content): number {
  return (
    blobs.reduce((sum, blob) => sum + sizeOfBlob(blob), 0) +
    commits.reduce((sum, commit) => sum + sizeOfCommit(commit), 0)
  );
}

function sizeOfBlob({ mediaType }: NamedBlob): number {
  return blobBytesMax + JSON.stringify(mediaType).length;
}

/** Base64, quotes and a comma. */
function sizeOfCommit({ bytes }: EncodedCommit): number {
  return Math.ceil(bytes.length / 3) * 4 + 3;
}

function sizeOfUpdates(updates: readonly RefUpdate[]): number {
  return updates.reduce((sum, { ref }) => sum + updateBytesMax + JSON.stringify(ref).length, 0);
}
