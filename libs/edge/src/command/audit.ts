import { searchAudit } from '#audit/search-audit';
import { type CommitId, isCommitId } from '#core/commit';
import { VarveError } from '#core/error';
import { parseRefName, parseRepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { resolveRefName } from '#query/resolve';
import { ownPosition, parsePlace, readTime } from '../audit-place.js';
import type { Engine } from '../engine.js';
import { type AuditLine, renderAudited } from '../rest/render-audit.js';

/** What is asked of the log; every part that is given must hold. Times by the log, both ends included. */
export interface AuditQuestion {
  readonly actor?: string | undefined;
  readonly repo?: string | undefined;
  readonly ref?: string | undefined;
  readonly commit?: string | undefined;
  readonly outcome?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly limit?: number | undefined;
}

/** A ref at a moment, or a record by its position. */
export interface ProofQuestion {
  readonly repo?: string | undefined;
  readonly ref?: string | undefined;
  readonly at?: string | undefined;
  readonly record?: string | undefined;
}

/** @throws UNSUPPORTED in a process that keeps no audit */
export function auditOf({ audit }: Engine): NonNullable<Engine['audit']> {
  if (audit) return audit;
  throw new VarveError(
    'UNSUPPORTED',
    'this process keeps no audit: ask the standalone process that works on the same event log',
  );
}

/** Records of the log, oldest first, and how many they were. @throws REQUEST_INVALID, NAME_INVALID, NOT_PROJECTED */
export async function auditLog(engine: Engine, asked: AuditQuestion): Promise<AsyncGenerator<AuditLine>> {
  const audit = auditOf(engine);
  const repo = asked.repo === undefined ? undefined : parseRepositoryName(asked.repo);
  const filter = {
    actor: asked.actor,
    repo,
    ref: asked.ref === undefined ? undefined : parseRefName(asked.ref),
    commit: asked.commit === undefined ? undefined : wholeId(asked.commit),
    outcome: asked.outcome === undefined ? undefined : readOutcome(asked.outcome),
    sinceMs: asked.since === undefined ? undefined : readTime(asked.since),
    untilMs: asked.until === undefined ? undefined : readTime(asked.until),
  };
  const partitions = repo === undefined ? everyPartition(audit) : [partitionOf(repo, audit.partitionCount)];
  await Promise.all(partitions.map((partition) => audit.caughtUp(partition)));
  return renderAudited(engine, searchAudit(audit.store, partitions, filter), asked.limit);
}

/** A proof file. @throws as `Auditor.proveRef` and `proveRecord`, REQUEST_INVALID, REF_UNKNOWN */
export async function auditProof(engine: Engine, asked: ProofQuestion): Promise<string> {
  const audit = auditOf(engine);
  if (asked.record !== undefined) {
    const { partition, offset } = ownPosition(engine, asked.record);
    return audit.proveRecord(partition, offset);
  }
  if (asked.repo === undefined || asked.ref === undefined) {
    throw new VarveError('REQUEST_INVALID', 'a proof is of a ref, with repo and ref, or of a record');
  }
  const repo = parseRepositoryName(asked.repo);
  const ref = await resolveRefName(engine.graph, repo, asked.ref);
  const place = parsePlace(engine, asked.at, partitionOf(repo, audit.partitionCount));
  return audit.proveRef(repo, ref, place);
}

function everyPartition({ partitionCount }: { readonly partitionCount: number }): number[] {
  return Array.from({ length: partitionCount }, (_, partition) => partition);
}

function wholeId(text: string): CommitId {
  if (isCommitId(text)) return text;
  const message = `"${text}" is not a commit id: the audit is asked by whole ids, as varve rev-parse prints them`;
  throw new VarveError('REQUEST_INVALID', message, { commit: text });
}

/** A word that nothing can have would answer with nothing, as if nothing had happened. */
function readOutcome(text: string): string {
  if (/^(?:accepted|rejected|none|[A-Z]+(?:_[A-Z]+)*)$/.test(text)) return text;
  const message = `"${text}" is no outcome: expected accepted, rejected, none, or the code of a rejection`;
  throw new VarveError('REQUEST_INVALID', message, { outcome: text });
}
