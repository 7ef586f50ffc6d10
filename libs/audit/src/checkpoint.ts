import { VarveError } from '#core/error';
import { hashFromBase64, type TreeHead, toBase64 } from './merkle.js';
import { isSignedBy, type NoteSigner, type NoteVerifier, parseNote, signNote } from './note.js';

/** What a log says of itself: this many records, and this root over them. */
export interface Checkpoint extends TreeHead {
  /** Names the log and, after its last slash, the partition. */
  readonly origin: string;
}

const originPrefix = 'varve.dev/log/';

/** The name a log signs with: of all its partitions, and of the tree over their checkpoints. */
export function logName(logId: string): string {
  return originPrefix + logId;
}

export function originOf(logId: string, partition: number): string {
  return `${logName(logId)}/${partition}`;
}

/** The body of a checkpoint: origin, size, root, one a line. @see C2SP tlog-checkpoint */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

export function signCheckpoint(checkpoint: Checkpoint, signer: NoteSigner): string {
  return signNote(checkpointText(checkpoint), signer);
}

/**
 * Reads a signed checkpoint that the holder of the key made; one that others have signed too is the same checkpoint.
 * @throws PROOF_INVALID when it is none, or another's
 */
export function openCheckpoint(note: string, verifier: NoteVerifier): Checkpoint {
  const signed = parseNote(note);
  const checkpoint = signed && parseText(signed.text);
  if (!signed || !checkpoint) throw new VarveError('PROOF_INVALID', 'the text is not a signed checkpoint');
  const { origin } = checkpoint;
  if (origin !== verifier.name && !origin.startsWith(`${verifier.name}/`)) {
    const message = `the checkpoint is of ${origin}; the key is of ${verifier.name}: take the key of that log`;
    throw new VarveError('PROOF_INVALID', message, { expected: verifier.name, actual: origin });
  }
  if (isSignedBy(signed, verifier)) return checkpoint;
  throw new VarveError('PROOF_INVALID', `the checkpoint of ${origin} is not signed by the key ${verifier.text}`, {
    origin,
  });
}

function parseText(text: string): Checkpoint | undefined {
  const [, origin, size, encoded] = /^([^\s+]+)\n(0|[1-9]\d{0,14})\n([A-Za-z0-9+/]{43}=)\n$/.exec(text) ?? [];
  const root = hashFromBase64(encoded ?? '');
  return origin === undefined || root === undefined ? undefined : { origin, size: Number(size), root };
}

/** The records that a signed checkpoint speaks of, without a look at who signed it; 0 for none. */
export function signedSize(note: string | undefined): number {
  const signed = note === undefined ? undefined : parseNote(note);
  return (signed && parseText(signed.text)?.size) ?? 0;
}

/** Two checkpoints of one log that cannot both be true. */
export function forked(a: Checkpoint, b: Checkpoint): VarveError {
  const message = `${a.origin} has signed two trees that contradict each other, of ${a.size} and of ${b.size} records: its history was changed. Keep both`;
  return new VarveError('CHECKPOINT_FORKED', message, { origin: a.origin, sizes: [a.size, b.size] });
}
