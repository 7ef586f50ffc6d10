import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { VarveError } from '#core/error';

/** Who signs notes: an Ed25519 key with a name. @see C2SP signed-note */
export interface NoteSigner {
  readonly name: string;
  readonly key: KeyObject;
  readonly verifier: NoteVerifier;
}

/** Who checks them. `text` is what people are given: `<name>+<key id in hex>+<base64 of type and key>`. */
export interface NoteVerifier {
  readonly name: string;
  readonly id: Buffer;
  readonly key: KeyObject;
  readonly text: string;
}

/** A text and who has signed it. */
export interface SignedNote {
  /** Ends in a newline. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly bytes: Buffer }[];
}

const ed25519 = 1;
const keyBytes = 32;
const signatureBytes = 64;
const secretPrefix = 'PRIVATE+KEY+';
/** What stands before the 32 bytes of a key in the encodings that the platform reads. @see RFC 8410 */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const spki = Buffer.from('302a300506032b6570032100', 'hex');

/** A new key, as the text of a key file. */
export function newSignerText(name: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(pkcs8.length);
  const id = verifierOf(name, publicKey).id.toString('hex');
  return `${secretPrefix}${name}+${id}+${Buffer.from([ed25519, ...seed]).toString('base64')}\n`;
}

/** Reads a key file. @throws CONFIG_INVALID; never says what stands in it */
export function parseSigner(text: string): NoteSigner {
  const [name, id, bytes] = partsOf(text.startsWith(secretPrefix) ? text.slice(secretPrefix.length).trimEnd() : '');
  if (name !== undefined && bytes !== undefined) {
    const key = createPrivateKey({ key: Buffer.concat([pkcs8, bytes]), format: 'der', type: 'pkcs8' });
    const verifier = verifierOf(name, createPublicKey(key));
    if (verifier.id.toString('hex') === id) return { name, key, verifier };
  }
  throw new VarveError('CONFIG_INVALID', 'the text is not a signing key, as varve makes one');
}

/** Reads a public key. @throws REQUEST_INVALID */
export function parseVerifier(text: string): NoteVerifier {
  const [name, id, bytes] = partsOf(text.trim());
  if (name !== undefined && bytes !== undefined) {
    const key = createPublicKey({ key: Buffer.concat([spki, bytes]), format: 'der', type: 'spki' });
    const verifier = verifierOf(name, key);
    if (verifier.id.toString('hex') === id) return verifier;
  }
  throw new VarveError(
    'REQUEST_INVALID',
    `"${text.trim()}" is not a public key: expected NAME+ID+KEY, as varve audit key prints it`,
  );
}

function verifierOf(name: string, key: KeyObject): NoteVerifier {
  const bytes = key.export({ format: 'der', type: 'spki' }).subarray(spki.length);
  const typed = Buffer.concat([Buffer.from([ed25519]), bytes]);
  const id = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'buffer').subarray(0, 4);
  return { name, id, key, text: `${name}+${id.toString('hex')}+${typed.toString('base64')}` };
}

function partsOf(text: string): readonly [] | readonly [name: string, id: string, key: Uint8Array] {
  const [, name = '', id = '', encoded = ''] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length !== 1 + keyBytes || bytes[0] !== ed25519 || bytes.toString('base64') !== encoded) return [];
  return [name, id, bytes.subarray(1)];
}

/** Signs a text, which ends in a newline. The same text and key give the same note. */
export function signNote(text: string, { name, key, verifier }: NoteSigner): string {
  const signature = Buffer.concat([verifier.id, sign(null, Buffer.from(text), key)]);
  return `${text}\n— ${name} ${signature.toString('base64')}\n`;
}

/** Takes a note apart; nothing is checked but its form. Undefined when it has not the form of one. */
export function parseNote(note: string): SignedNote | undefined {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) return undefined;
  const lines = note.slice(end + 2, -1).split('\n');
  const signatures = lines.map((line) => {
    const [, name = '', encoded = ''] = /^— ([^\s+]+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
    const bytes = Buffer.from(encoded, 'base64');
    return { name, bytes, isRight: name !== '' && bytes.length > 4 && bytes.toString('base64') === encoded };
  });
  if (!signatures.every(({ isRight }) => isRight)) return undefined;
  return { text: note.slice(0, end + 1), signatures: signatures.map(({ name, bytes }) => ({ name, bytes })) };
}

/** Whether the holder of the key has signed the text. Signatures of others are passed over. */
export function isSignedBy({ text, signatures }: SignedNote, { name, id, key }: NoteVerifier): boolean {
  const own = signatures.filter((each) => each.name === name && each.bytes.subarray(0, 4).equals(id));
  return (
    own.length > 0 &&
    own.every(
      ({ bytes }) => bytes.length === 4 + signatureBytes && verify(null, Buffer.from(text), key, bytes.subarray(4)),
    )
  );
}
