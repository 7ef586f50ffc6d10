import { VarveError } from '#core/error';
import { type Hash, hashFromBase64, toBase64 } from './merkle.js';

/** A proof as one file: an entry's place in a tree, the tree's signed checkpoint, and what the application adds. */
export interface ProofFile {
  /** What stands beside the inclusion proof; authenticated by whoever reads it. */
  readonly extra: string;
  readonly index: number;
  readonly path: readonly Hash[];
  /** A signed note, as it was published. */
  readonly checkpoint: string;
}

const header = 'c2sp.org/tlog-proof@v1';

/** @see C2SP tlog-proof */
export function formatProofFile({ extra, index, path, checkpoint }: ProofFile): string {
  const lines = [header, `extra ${Buffer.from(extra).toString('base64')}`, `index ${index}`, ...path.map(toBase64)];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/** Takes a file apart; it must be the one form of what is in it. @throws PROOF_INVALID */
export function parseProofFile(text: string): ProofFile {
  const end = text.indexOf('\n\n');
  const [, extraLine = '', indexLine = '', ...hashes] = text.slice(0, Math.max(end, 0)).split('\n');
  const file = {
    extra: Buffer.from(extraLine.replace(/^extra /, ''), 'base64').toString(),
    index: Number(indexLine.replace(/^index /, '')),
    path: hashes.map(hashFromBase64).filter((hash) => hash !== undefined),
    checkpoint: text.slice(end + 2),
  };
  if (end >= 0 && Number.isSafeInteger(file.index) && formatProofFile(file) === text) return file;
  throw new VarveError(
    'PROOF_INVALID',
    `the file is not a proof, or was changed: expected ${header} and what follows it`,
  );
}
