import { assert, VarveError } from '#core/error';
import type { LogRecord, Proposal } from '#core/event';
import { decodeEvent } from '#core/event-codec';
import type { RefName, RepositoryName } from '#core/name';
import type { AuditRow, AuditStore } from '#ports/audit-store';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { decodeEntry, recordHash } from './entry.js';
import { commitsBetween } from './commits-between.js';
import { formatEvidence, type MoveEvidence, type ProvenEntry, type ProvenRef } from './evidence.js';
import { readPath } from './audit-tree.js';
import { findKey, proofOf } from './map-path.js';
import { inclusionProof } from './merkle.js';
import { formatProofFile } from './proof-file.js';
import { hashReader } from './read-hashes.js';
import { refKey } from './state-map.js';

/** Where proofs are made from: nothing here needs the signing key. */
export interface ProofSources {
  readonly store: AuditStore;
  readonly log: EventLog;
  readonly graph: GraphReader;
}

/** A tree as a published checkpoint has it. */
export interface PublishedTree {
  readonly tree: number;
  readonly size: number;
  /** The signed note. */
  readonly checkpoint: string;
}

/**
 * A file that shows what a ref held after the record at `offset`, and that nothing moved it since the record that set it.
 * @throws CORRUPT when the log has not the record that the tree has
 */
export async function proveRef(
  sources: ProofSources,
  published: PublishedTree,
  question: { readonly repo: RepositoryName; readonly ref: RefName; readonly offset: number },
): Promise<string> {
  const { tree, size, checkpoint } = published;
  const { repo, ref, offset } = question;
  const row = await rowAt(sources, tree, offset);
  const { setBy, ...proven } = await refAt(sources, { tree, row }, { repo, ref });
  const evidence = formatEvidence({
    type: 'ref',
    repo,
    ref,
    entry: row.entry,
    ...proven,
    next: offset + 1 < size ? await provenEntry(sources, published, offset + 1) : null,
    move: setBy === undefined ? null : await moveEvidence(sources, published, setBy),
    link: null,
  });
  const path = await inclusionProof(offset, size, hashReader(sources.store, tree));
  return formatProofFile({ extra: evidence, index: offset, path, checkpoint });
}

/** A file that shows that a record stands at its place, and what became of it. @throws as `proveRef` */
export async function proveRecord(sources: ProofSources, published: PublishedTree, offset: number): Promise<string> {
  const { tree, size, checkpoint } = published;
  const { entry } = await rowAt(sources, tree, offset);
  const record = await recordAt(sources, tree, offset);
  const path = await inclusionProof(offset, size, hashReader(sources.store, tree));
  const extra = formatEvidence({ type: 'record', entry, record: record.bytes, link: null });
  return formatProofFile({ extra, index: offset, path, checkpoint });
}

async function moveEvidence(sources: ProofSources, published: PublishedTree, offset: number): Promise<MoveEvidence> {
  const { tree } = published;
  const { bytes: record } = await recordAt(sources, tree, offset);
  const decoded = decodeEvent(record);
  assert(decoded.type === 'event' && 'updates' in decoded.event, `record ${offset} moved a ref`);
  const event: Proposal = decoded.event;
  const before = await rowAt(sources, tree, offset - 1);
  const refs: ProvenRef[] = [];
  for (const { ref } of event.updates) {
    const { value, map } = await refAt(sources, { tree, row: before }, { repo: event.repo, ref });
    refs.push({ value, map });
  }
  return {
    ...(await provenEntry(sources, published, offset)),
    record,
    before: await provenEntry(sources, published, offset - 1),
    refs,
    commits: await commitsBetween(sources.graph, event),
  };
}

async function refAt(
  { store }: ProofSources,
  { tree, row }: { readonly tree: number; readonly row: AuditRow },
  { repo, ref }: { readonly repo: RepositoryName; readonly ref: RefName },
): Promise<ProvenRef & { readonly setBy: number | undefined }> {
  const key = refKey(repo, ref);
  const { beside, end, setBy } = proofOf(await findKey(key, row.moves - 1, readPath(store, tree)), key);
  return { value: setBy?.value ?? null, map: { beside, end }, setBy: setBy?.offset };
}

async function provenEntry(
  { store }: ProofSources,
  { tree, size }: PublishedTree,
  offset: number,
): Promise<ProvenEntry> {
  const { entry } = await rowAt({ store }, tree, offset);
  return { entry, path: await inclusionProof(offset, size, hashReader(store, tree)) };
}

async function rowAt({ store }: Pick<ProofSources, 'store'>, tree: number, offset: number): Promise<AuditRow> {
  const [row] = await store.entries(tree, offset, offset + 1);
  if (row) return row;
  throw new VarveError('CORRUPT', `the audit store has lost entry ${offset} of tree ${tree}`, { tree, offset });
}

/** The record as the log has it now. @throws CORRUPT when it is not the one the tree has */
async function recordAt({ log, store }: ProofSources, tree: number, offset: number): Promise<LogRecord> {
  const { entry } = await rowAt({ store }, tree, offset);
  for await (const [record] of log.read(tree, offset)) {
    if (record?.offset === offset && decodeEntry(entry)?.record === recordHash(record.bytes)) return record;
    break;
  }
  const message = `record ${offset} of partition ${tree} is not the one that the audit tree has: the event log was changed. Restore it from a copy`;
  throw new VarveError('CORRUPT', message, { partition: tree, offset });
}
