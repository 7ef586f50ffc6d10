import { formatEvidence, type Link, parseEvidence } from './evidence.js';
import { formatProofFile, parseProofFile } from './proof-file.js';

/** The same proof with what shows that its tree continues an earlier checkpoint. @throws PROOF_INVALID */
export function linkProof(text: string, link: Link): string {
  const file = parseProofFile(text);
  return formatProofFile({ ...file, extra: formatEvidence({ ...parseEvidence(file.extra), link }) });
}
