import { searchAudit } from '#audit/search-audit';
import { type CommitId, isCommitId } from '#core/commit';
import { VarveError } from '#core/error';
import { parseRefName, parseRepositoryName, type RefName, type RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { resolve, resolveRefName } from '#query/resolve';
import { isPosition, ownPosition, parsePlace } from '../audit-place.js';
import type { Engine } from '../engine.js';
import { type AuditLine, renderAudited } from '../rest/render-audit.js';

/** What is asked of the log; every part that is given must hold. Both ends of a span are included. */
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

/** @throws UNSUPPORTED in a process whose graph did not follow its log when it started: of that, nothing is signed */
export function auditOf({ audit }: Engine): NonNullable<Engine['audit']> {
  if (audit) return audit;
  throw new VarveError(
    'UNSUPPORTED',
    'this process has no audit: its graph did not follow the event log when it started, see /readyz',
  );
}

/** Records of the log, oldest first, and how many they were. @throws REQUEST_INVALID, NAME_INVALID, NOT_PROJECTED */
export async function auditLog(engine: Engine, asked: AuditQuestion): Promise<AsyncGenerator<AuditLine>> {
  const audit = auditOf(engine);
  const repo = asked.repo === undefined ? undefined : parseRepositoryName(asked.repo);
  const partitions = repo === undefined ? everyPartition(audit) : [partitionOf(repo, audit.partitionCount)];
  const [since, until] = [endOf(engine, asked.since, partitions), endOf(engine, asked.until, partitions)];
  const filter = {
    actor: asked.actor,
    repo,
    ref: asked.ref === undefined ? undefined : await refOf(engine, repo, asked.ref),
    commit: asked.commit === undefined ? undefined : await commitOf(engine, repo, asked.commit),
    outcome: asked.outcome === undefined ? undefined : readOutcome(asked.outcome),
    sinceMs: since?.ms,
    untilMs: until?.ms,
    sinceOffset: since?.offset,
    untilOffset: until?.offset,
  };
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

/** An end of a span: a time, or a position, which is of one partition. @throws NAME_INVALID, POSITION_UNKNOWN, REQUEST_INVALID */
function endOf(
  engine: Engine,
  text: string | undefined,
  partitions: readonly number[],
): { readonly ms?: number; readonly offset?: number } | undefined {
  if (text === undefined) return undefined;
  const [partition, ...others] = partitions as [number];
  if (others.length > 0 && isPosition(text)) {
    const message = `${text} is of one of ${partitions.length} partitions: name the repository, or ask by time`;
    throw new VarveError('REQUEST_INVALID', message, { position: text });
  }
  const place = parsePlace(engine, text, partition);
  return place.type === 'time' ? { ms: place.ms } : place.type === 'offset' ? { offset: place.offset } : undefined;
}

/** In full, or, where the repository is named, bare as everywhere else. @throws NAME_INVALID, REF_UNKNOWN */
async function refOf({ graph }: Engine, repo: RepositoryName | undefined, text: string): Promise<RefName> {
  if (/^(?:refs|heads|tags)\//.test(text)) return parseRefName(text);
  if (repo !== undefined) return resolveRefName(graph, repo, text);
  const message = `"${text}" may be a branch or a tag of any repository: say heads/${text} or tags/${text}, or name the repository`;
  throw new VarveError('NAME_INVALID', message, { ref: text });
}

/** The whole id, of a commit that was refused too; or, where the repository is named, a revision. @throws as `resolve` */
async function commitOf(engine: Engine, repo: RepositoryName | undefined, text: string): Promise<CommitId> {
  if (isCommitId(text)) return text;
  if (repo !== undefined) return (await resolve(engine, repo, text)).commit.id;
  const message = `"${text}" is not the whole id of a commit: give all 64 digits, or name the repository`;
  throw new VarveError('REQUEST_INVALID', message, { commit: text });
}

/** A word that nothing can have would answer with nothing, as if nothing had happened. */
function readOutcome(text: string): string {
  if (/^(?:accepted|rejected|none|[A-Z]+(?:_[A-Z]+)*)$/.test(text)) return text;
  const message = `"${text}" is no outcome: expected accepted, rejected, none, or the code of a rejection`;
  throw new VarveError('REQUEST_INVALID', message, { outcome: text });
}
