import { VarveError } from '#core/error';
import type { Event } from '#core/event';
import { decodeEvent } from '#core/event-codec';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { type Checkpoint, forked, openCheckpoint } from './checkpoint.js';
import { type AuditEntry, decodeEntry, recordHash } from './entry.js';
import { type Link, parseEvidence, type ProvenEntry, type RefEvidence } from './evidence.js';
import { isConsistent, isIncluded, leafHash } from './merkle.js';
import type { NoteVerifier } from './note.js';
import { parseProofFile } from './proof-file.js';
import { replayMove } from './replay-move.js';
import { invalid, mapSays } from './proven-ref.js';

/** What a proof shows. */
export interface Verified {
  readonly checkpoint: Checkpoint;
  /** The signed note of it. */
  readonly note: string;
  /** The checkpoint seen earlier that the proof shows to be the beginning of this one. */
  readonly linked: Checkpoint | null;
  /** The entry that the proof speaks of. */
  readonly entry: AuditEntry;
  /** What the record was, when the proof is of a record. */
  readonly record: ShownRecord | null;
  readonly ref: VerifiedRef | null;
}

export interface VerifiedRef {
  readonly repo: RepositoryName;
  readonly ref: RefName;
  /** null: it had never been. With `commit: null`: it was deleted. */
  readonly value: RefValue | null;
  /** The entry after: the value held up to it. Null when the tree ends. */
  readonly until: AuditEntry | null;
  /** What gave it the value. */
  readonly setBy: (ShownRecord & { readonly entry: AuditEntry }) | null;
  /** Whether the decision was made again; false when the commits in between were too many to carry. */
  readonly isReplayed: boolean;
}

export interface ShownRecord {
  readonly event: Event | null;
}

/**
 * Checks a proof with a public key alone: the signature, the place of every entry in the tree, what the map of refs says
 * at them, the bytes of the record that moved the ref, and the decision on it, made again.
 * @throws PROOF_INVALID saying what does not hold; LIMIT_EXCEEDED
 */
export function verifyProof(text: string, verifier: NoteVerifier): Verified {
  if (text.length > limit.proofBytesMax) {
    throw new VarveError(
      'LIMIT_EXCEEDED',
      `a proof of ${text.length} bytes is over the limit of ${limit.proofBytesMax}`,
    );
  }
  const { extra, index, path, checkpoint: note } = parseProofFile(text);
  const checkpoint = openCheckpoint(note, verifier);
  const evidence = parseEvidence(extra);
  const tree = new ProvenTree(checkpoint);
  const entry = tree.entry({ entry: evidence.entry, path }, 'the entry');
  if (entry.offset !== index) throw invalid(`the entry is of record ${entry.offset}; the proof says ${index}`);
  const linked = evidence.link && linkedTo(evidence.link, checkpoint, verifier);
  const common = { checkpoint, note, linked, entry };
  if (evidence.type === 'ref') return { ...common, record: null, ref: verifyRef(tree, entry, evidence) };
  return { ...common, record: { event: eventOf(entry, evidence.record) }, ref: null };
}

/** Entries of one tree, each checked on its way in. */
class ProvenTree {
  readonly #checkpoint: Checkpoint;

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
  }

  get size(): number {
    return this.#checkpoint.size;
  }

  entry({ entry: bytes, path }: ProvenEntry, what: string): AuditEntry {
    const entry = decodeEntry(bytes);
    if (!entry) throw invalid(`${what} is not well formed`);
    const { size, root, origin } = this.#checkpoint;
    if (!origin.endsWith(`/${entry.partition}`))
      throw invalid(`${what} is of partition ${entry.partition}, the checkpoint of ${origin}`);
    if (isIncluded({ leaf: leafHash(bytes), index: entry.offset, size, root }, path)) return entry;
    throw invalid(`${what} of record ${entry.offset} is not in the tree of ${size} records that was signed`);
  }
}

function verifyRef(tree: ProvenTree, entry: AuditEntry, evidence: RefEvidence): VerifiedRef {
  const { repo, ref, value, next, move } = evidence;
  mapSays(entry.state, { repo, ref }, evidence);
  const until = next && tree.entry(next, 'the next entry');
  const expected = until ? until.offset : tree.size;
  if (expected !== entry.offset + 1)
    throw invalid(`the entry after record ${entry.offset} is missing: the proof has ${expected}`);
  if (until && until.t < entry.t) throw invalid('the time of the next entry is before the time of the entry');
  const shown = { repo, ref, value, until };
  if (value === null) {
    if (move) throw invalid('the proof has a move of a ref that has never been');
    return { ...shown, setBy: null, isReplayed: false };
  }
  if (!move) throw invalid('the proof lacks the move that set the ref');
  const moved = tree.entry(move, 'the move');
  if (moved.offset > entry.offset) throw invalid('the move is later than the entry');
  const event = eventOf(moved, move.record);
  const before = tree.entry(move.before, 'the entry before the move');
  if (before.offset !== moved.offset - 1) throw invalid('the entry before the move is another');
  if (moved.decision !== 'accepted') throw invalid(`the move was ${moved.decision}`);
  const isReplayed = replayMove({ event, moved, before, evidence: move, expected: { repo, ref, value } });
  return { ...shown, setBy: { event, entry: moved }, isReplayed };
}

/** The event of a record whose bytes are those that the entry has the digest of; null when it is no event. */
function eventOf({ record, offset }: AuditEntry, bytes: Uint8Array): Event | null {
  if (recordHash(bytes) !== record) throw invalid(`the bytes of record ${offset} are not those that the tree has`);
  const decoded = decodeEvent(bytes);
  return decoded.type === 'event' ? decoded.event : null;
}

function linkedTo({ checkpoint: note, path }: Link, young: Checkpoint, verifier: NoteVerifier): Checkpoint {
  const old = openCheckpoint(note, verifier);
  if (old.origin === young.origin && isConsistent(old, young, path)) return old;
  throw invalid(`the tree of ${young.size} records is not shown to continue the one of ${old.size}`);
}

/**
 * The checkpoint of a proof against one that is known to be right.
 * @throws CHECKPOINT_FORKED when they contradict each other; CHECKPOINT_UNLINKED when nothing shows that they do not
 */
export function checkLinked({ checkpoint, linked }: Pick<Verified, 'checkpoint' | 'linked'>, known: Checkpoint): void {
  if (known.origin !== checkpoint.origin) {
    const message = `the proof is of ${checkpoint.origin}; the checkpoint is of ${known.origin}: take a checkpoint of the same log and partition`;
    throw new VarveError('PROOF_INVALID', message, { expected: known.origin, actual: checkpoint.origin });
  }
  const same = [checkpoint, linked].find((each) => each?.size === known.size);
  if (same && same.root !== known.root) throw forked(same, known);
  if (same) return;
  const message = `the proof is of ${checkpoint.size} records and has nothing that links it to the checkpoint of ${known.size} that is known`;
  throw new VarveError('CHECKPOINT_UNLINKED', message, { known: known.size, proof: checkpoint.size });
}
