import { openCheckpoint, originOf, logName, signCheckpoint } from './checkpoint.js';
import { emptyRoot, leafHash } from './merkle.js';
import { isSignedBy, newSignerText, parseNote, parseSigner, parseVerifier, signNote } from './note.js';

const signer = parseSigner(newSignerText(logName('l1')));
const checkpoint = { origin: originOf('l1', 0), size: 3, root: leafHash(Buffer.from('x')) };

describe('a signed note', () => {
  it('of the package note of Go is read, and its key', () => {
    const verifier = parseVerifier('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    const note = parseNote(
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
    );

    expect(note && isSignedBy(note, verifier)).toBe(true);
  });

  it('is signed by its key alone, and over its text alone', () => {
    const note = parseNote(signNote('one\n\ntwo\n', signer));
    const other = parseSigner(newSignerText(signer.name)).verifier;

    expect(note?.text).toBe('one\n\ntwo\n');
    expect(note && isSignedBy(note, signer.verifier)).toBe(true);
    expect(note && isSignedBy(note, other)).toBe(false);
    expect(note && isSignedBy({ ...note, text: 'one\n\ntwo!\n' }, signer.verifier)).toBe(false);
  });

  it('is the same for the same text', () => {
    expect(signNote('same\n', signer)).toBe(signNote('same\n', signer));
  });

  it.each([
    ['nothing', ''],
    ['a beginning alone', 'PRIVATE+KEY+'],
    ['too few bytes', 'PRIVATE+KEY+a+00000000+AAAA'],
    ['a key under another name', newSignerText('a').replace('+KEY+a+', '+KEY+b+')],
  ])('is not made with %s, and the words do not tell the key', (_what, text) => {
    expect(() => parseSigner(text)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining(text || '\0') }),
    );
  });
});

describe('a checkpoint', () => {
  it('is read by the key of its log', () => {
    expect(openCheckpoint(signCheckpoint(checkpoint, signer), signer.verifier)).toEqual(checkpoint);
  });

  it('of another log, or by another key of this one, is refused', () => {
    const another = parseSigner(newSignerText(logName('l2')));
    const stranger = parseSigner(newSignerText(logName('l1')));

    expect(() => openCheckpoint(signCheckpoint(checkpoint, another), another.verifier)).toThrow(
      /is of varve.dev\/log\/l1\/0; the key is of/,
    );
    expect(() => openCheckpoint(signCheckpoint(checkpoint, stranger), signer.verifier)).toThrow(
      /not signed by the key/,
    );
  });

  it('with any one byte changed is refused', () => {
    const bytes = Buffer.from(signCheckpoint({ ...checkpoint, root: emptyRoot }, signer));
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => openCheckpoint(changed.toString(), signer.verifier)).toThrow(
        expect.objectContaining({ code: 'PROOF_INVALID' }),
      );
    }
  });
});
