import { VarveError } from '#core/error';
import {
  type AuditRecord,
  AuditServiceService,
  type AuditServiceServer,
  type CheckResponse,
  type SearchLogResponse,
} from '#proto/gen/varve/v1/audit';
import { type AuditQuestion, auditLog, auditOf, auditProof } from '../command/audit.js';
import { auditCheck, type AuditCheckLine } from '../command/check-audit.js';
import type { Engine } from '../engine.js';
import type { AuditedRecord, AuditLine } from '../rest/render-audit.js';
import { absent } from './absent.js';
import { gathered } from './batch.js';
import type { Asked } from './call.js';
import type { Calls } from './calls.js';
import { countOf } from './request.js';
import type { Served } from './served.js';

export function auditService(engine: Engine, calls: Calls): Served {
  const server: AuditServiceServer = {
    searchLog: calls.stream((asked, call) => {
      refuseMoment(call);
      return searched(engine, { ...asked, limit: limitOf(asked.limit) });
    }),
    getCheckpoint: calls.ask(async (asked, call) => {
      refuseMoment(call);
      return { note: await auditOf(engine).checkpoint(partitionOf(asked)) };
    }),
    getKey: calls.look(async () => ({ key: await auditOf(engine).publicKey() })),
    getTile: calls.ask(async (asked, call) => {
      refuseMoment(call);
      const { bytes, isFull } = await auditOf(engine).tile(partitionOf(asked), `tile/${asked.tile}`);
      return { tile: Buffer.from(bytes), full: isFull };
    }),
    getConsistency: calls.ask(async (asked, call) => {
      refuseMoment(call);
      const { from, to } = asked;
      return { from, to, path: [...(await auditOf(engine).consistency(partitionOf(asked), from, to))] };
    }),
    getProof: calls.ask(async (asked, call) => {
      refuseMoment(call);
      return { proof: await auditProof(engine, asked) };
    }),
    check: calls.stream(async function* (_asked, call) {
      refuseMoment(call);
      for await (const line of auditCheck(engine)) yield checkMessage(line);
    }),
  };
  return { definition: AuditServiceService, server };
}

async function* searched(engine: Engine, question: AuditQuestion): AsyncGenerator<SearchLogResponse> {
  let records = 0;
  for await (const some of gathered(recordsIn(await auditLog(engine, question)), recordBytes)) {
    records += some.length;
    yield { line: { $case: 'records', value: { records: some.map(recordMessage) } } };
  }
  yield { line: { $case: 'summary', value: { records } } };
}

async function* recordsIn(lines: AsyncIterable<AuditLine>): AsyncGenerator<AuditedRecord> {
  for await (const line of lines) if (line.type === 'record') yield line;
}

function recordMessage({ moves, type: _type, ...record }: AuditedRecord): AuditRecord {
  return {
    ...absent(record),
    moves: moves.map(({ from, to, ...move }) => ({ ...absent(move), ...absent({ previousCommit: from, commit: to }) })),
  };
}

function recordBytes({ reason, message, moves, commits }: AuditedRecord): number {
  return 600 + 3 * ((reason?.length ?? 0) + (message?.length ?? 0)) + 420 * moves.length + 66 * commits.length;
}

function checkMessage(line: AuditCheckLine): CheckResponse {
  if (line.type === 'finding') return { line: { $case: 'finding', value: line } };
  if (line.type === 'progress') return { line: { $case: 'progress', value: line } };
  return { line: { $case: 'summary', value: line } };
}

/** The audit has fields of its own for that; an answer of now to a question about then would look like one. */
function refuseMoment({ headers: { 'varve-at': at } }: Asked): void {
  if (at === undefined) return;
  throw new VarveError('REQUEST_INVALID', 'varve-at is for questions about histories: the audit is asked by fields', {
    at,
  });
}

function limitOf(given: number | undefined): number | undefined {
  if (given === undefined || given >= 1) return given;
  throw new VarveError('REQUEST_INVALID', `limit is ${given}: expected 1 or more`, { limit: given });
}

function partitionOf({ partition }: { readonly partition: number }): number {
  return countOf('partition', partition) ?? 0;
}
