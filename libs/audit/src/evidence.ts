import { canonicalJson, type Json } from '#core/canonical-json';
import { isCommitId } from '#core/commit';
import { VarveError } from '#core/error';
import { parseRefName, parseRepositoryName, type RefName, type RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { type Hash, hashFromBase64, toBase64 } from './merkle.js';
import type { MapProof } from './state-map.js';

/** An entry and the way from it to the root. */
export interface ProvenEntry {
  readonly entry: Uint8Array;
  readonly path: readonly Hash[];
}

/** What a ref held, as a map says it; null: it had never been. */
export interface ProvenRef {
  readonly value: RefValue | null;
  readonly map: MapProof;
}

/** What shows what a ref pointed at: the `extra` of a proof file. Nothing in it is believed that does not lead to the root. */
export interface RefEvidence extends ProvenRef {
  readonly type: 'ref';
  readonly repo: RepositoryName;
  readonly ref: RefName;
  /** The entry that is spoken of: the last one at or before the time. */
  readonly entry: Uint8Array;
  /** The entry after it, so that it was the last one; null when it is the last of the tree. */
  readonly next: ProvenEntry | null;
  /** The record that gave the ref its value, null when it has none. */
  readonly move: MoveEvidence | null;
  /** A checkpoint seen earlier, and what shows that the tree continues it. */
  readonly link: Link | null;
}

/** One record, whatever became of it. */
export interface RecordEvidence {
  readonly type: 'record';
  readonly entry: Uint8Array;
  readonly record: Uint8Array;
  readonly link: Link | null;
}

export type Evidence = RefEvidence | RecordEvidence;

/** What the decision on a move was made by. */
export interface MoveEvidence extends ProvenEntry {
  readonly record: Uint8Array;
  /** The entry before it, whose map the record was judged by. */
  readonly before: ProvenEntry;
  /** What the refs that the record moves held before, in its order. */
  readonly refs: readonly ProvenRef[];
  /** Commits between the old ones and the new ones that are not in the record, parents first; null: too many. */
  readonly commits: readonly Uint8Array[] | null;
}

export interface Link {
  readonly checkpoint: string;
  readonly path: readonly Hash[];
}

/** The one text of evidence. */
export function formatEvidence(evidence: Evidence): string {
  const { type, entry, link } = evidence;
  const common = {
    type,
    entry: ascii(entry),
    link: link && { checkpoint: link.checkpoint, path: link.path.map(toBase64) },
  };
  if (evidence.type === 'record') return canonicalJson({ ...common, record: base64(evidence.record) });
  const { repo, ref, next, move } = evidence;
  return canonicalJson({
    ...common,
    repo,
    ref,
    ...provenRef(evidence),
    next: next && provenEntry(next),
    move: move && {
      ...provenEntry(move),
      record: base64(move.record),
      before: provenEntry(move.before),
      refs: move.refs.map(provenRef),
      commits: move.commits && move.commits.map(base64),
    },
  });
}

function provenEntry({ entry, path }: ProvenEntry) {
  return { entry: ascii(entry), path: path.map(toBase64) };
}

function provenRef({ value, map: { beside, end } }: ProvenRef): { readonly [key: string]: Json } {
  return {
    value: value && { commit: value.commit, version: value.version },
    map: { beside: beside.map(toBase64), end: end && { key: toBase64(end.key), value: toBase64(end.value) } },
  };
}

/** Reads the one text of evidence. What is only well formed is not yet true. @throws PROOF_INVALID */
export function parseEvidence(text: string): Evidence {
  try {
    const evidence = readEvidence(JSON.parse(text) as Members);
    if (formatEvidence(evidence) === text) return evidence;
  } catch {
    // Falls through to the one message of ours.
  }
  throw new VarveError(
    'PROOF_INVALID',
    'the evidence in the proof is not well formed: the file was changed, or a newer version wrote it',
  );
}

type Members = { readonly [key: string]: unknown };

/** Thrown values only say that something is not well formed: `parseEvidence` has the words. */
function readEvidence(members: Members): Evidence {
  const entry = readAscii(members['entry']);
  const link = orNull(members['link'], readLink);
  if (members['type'] === 'record') return { type: 'record', entry, record: readBase64(members['record']), link };
  return {
    type: 'ref',
    entry,
    link,
    repo: parseRepositoryName(String(members['repo'])),
    ref: parseRefName(String(members['ref'])),
    ...readProvenRef(members),
    next: orNull(members['next'], readProvenEntry),
    move: orNull(members['move'], readMove),
  };
}

function readMove(members: Members): MoveEvidence {
  return {
    ...readProvenEntry(members),
    record: readBase64(members['record']),
    before: readProvenEntry(members['before'] as Members),
    refs: list(members['refs']).map((ref) => readProvenRef(ref as Members)),
    commits: members['commits'] === null ? null : list(members['commits']).map(readBase64),
  };
}

function readLink({ checkpoint, path }: Members): Link {
  return { checkpoint: String(checkpoint), path: readHashes(path) };
}

function readProvenEntry({ entry, path }: Members): ProvenEntry {
  return { entry: readAscii(entry), path: readHashes(path) };
}

function readProvenRef({ value, map }: Members): ProvenRef {
  const { beside, end } = map as Members;
  return {
    value: orNull(value, readValue),
    map: {
      beside: readHashes(beside),
      end: orNull(end, (leaf) => ({ key: readHash(leaf['key']), value: readHash(leaf['value']) })),
    },
  };
}

function readValue({ commit, version }: Members): RefValue {
  const isRight = (commit === null || isCommitId(commit)) && Number.isSafeInteger(version);
  if (!isRight) throw new Error('not the value of a ref');
  return { commit, version: version as number };
}

function readHashes(value: unknown): Hash[] {
  return list(value).map(readHash);
}

function readHash(value: unknown): Hash {
  const hash = hashFromBase64(String(value));
  if (hash === undefined) throw new Error('not a hash');
  return hash;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('not a list');
  return value;
}

function orNull<T>(value: unknown, read: (members: Members) => T): T | null {
  return value === null ? null : read(value as Members);
}

function readBase64(value: unknown): Uint8Array {
  return Buffer.from(String(value), 'base64');
}

function readAscii(value: unknown): Uint8Array {
  return Buffer.from(String(value), 'latin1');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function ascii(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
