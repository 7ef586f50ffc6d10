import { join } from 'node:path';
import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteAuditStore } from '#adapters/sqlite/sqlite-audit-store';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { AuditTree, type JudgedRecord } from '#audit/audit-tree';
import { logName, originOf } from '#audit/checkpoint';
import { judgedRecord } from '#audit/judged-record';
import { Notary } from '#audit/notary';
import { newSignerText, type NoteSigner, parseSigner } from '#audit/note';
import { proveRef } from '#audit/prove';
import { searchAudit } from '#audit/search-audit';
import { verifyProof } from '#audit/verify-proof';
import { genesis } from '#core/commit';
import type { Event, LogRecord } from '#core/event';
import { encodeEvent } from '#core/event-codec';
import type { OutcomeRow } from '#core/graph-row';
import { limit } from '#core/limit';
import { branchRef, parseRepositoryName, type RefName } from '#core/name';
import type { AuditStore } from '#ports/audit-store';
import type { EventLog } from '#ports/event-log';
import { rebuild } from '#projection/rebuild';
import { atMost, type Found } from './aim.js';
import { inScratch } from './history.js';
import { fill } from './rebuild.js';

const repo = parseRepositoryName('bench');
const refs = 1_000;
const proofs = 300;
const comparedRecords = 20_000;
const comparedRounds = 5;
/** A tree takes a twentieth of the time, so anything that disturbs it weighs more. */
const treesPerRound = 5;

/**
 * What the audit costs and how fast it answers: the tree beside the projector, a proof, and a question over everything.
 * Each record moves one of 1,000 refs. Takes how many records.
 */
export async function benchAudit(given = '1000000'): Promise<Found> {
  const count = Number(given);
  return inScratch(async (folder) => {
    const share = await shareOfProjector(folder);
    const store = openSqliteAuditStore(join(folder, 'audit.db'));
    const log = new GeneratedLog(count);
    const signer = parseSigner(newSignerText(logName(log.id)));
    const perRecord = await fillTree(store, log, count);
    const proofMs = await timeProofs({ store, log, signer, count });
    const searchMs = await timeSearch(store, count);
    await store.close();
    const rows = [
      ['projector, SQLite graph', share.projector],
      ['tree alone: entry, map, hashes, tiles', share.tree],
      ['follower in all, SQLite store', perRecord],
    ].map(([what, us]) => `| ${what} | ${Number(us).toFixed(1)} |`);
    const text = [
      `### Audit of ${count} records`,
      '',
      '| what | µs a record |',
      '| --- | --: |',
      ...rows,
      '',
      `A proof takes ${proofMs.cpu.toFixed(2)} ms of processor time (by the clock, half of them ${proofMs.median.toFixed(2)} ms or less); the records of one of ten actors are found in ${(searchMs / 1e3).toFixed(2)} s.`,
    ].join('\n');
    return {
      aims: [
        atMost(`a proof, ${count} records, processor time`, proofMs.cpu, 10, 'ms'),
        atMost(`audit filter over ${count} records`, searchMs, 2_000, 'ms'),
        atMost('the tree, of the projector’s cost', (100 * share.tree) / share.projector, 5, '%'),
      ],
      text,
    };
  });
}

/**
 * Processor time a record: the projector's, and that of the tree over the same records, in turn. One round before the
 * first is not counted: it warms the compiler, and both run for days.
 */
async function shareOfProjector(folder: string): Promise<{ readonly projector: number; readonly tree: number }> {
  const log = openMemoryEventLog({ now: Date.now });
  await fill(log, comparedRecords);
  const judged = await judgeAll(log);
  const projector: number[] = [];
  const tree: number[] = [];
  for (let round = 0; round <= comparedRounds; round += 1) {
    projector.push(await timeProjector(log, join(folder, `graph-${round}.db`)));
    for (let n = 0; n < treesPerRound; n += 1) tree.push(await timeTree(judged));
  }
  return { projector: medianOf(projector.slice(1)), tree: medianOf(tree.slice(treesPerRound)) };
}

async function judgeAll(log: EventLog): Promise<readonly JudgedRecord[]> {
  const graph = openMemoryGraphStore();
  await rebuild({ log, graph });
  const judged: JudgedRecord[] = [];
  for await (const batch of log.read(0, 0)) {
    for (const record of batch) judged.push(await judgedRecord(record, (txid) => graph.outcome(0, txid)));
  }
  return judged;
}

async function timeProjector(log: EventLog, path: string): Promise<number> {
  const graph = openSqliteGraphStore(path);
  const perRecord = await cpuPer(comparedRecords, () => rebuild({ log, graph }));
  await graph.close();
  return perRecord;
}

/** The follower judges a batch right before it appends it; these were judged long ago, so they are looked at again first. */
async function timeTree(judged: readonly JudgedRecord[]): Promise<number> {
  const tree = await AuditTree.open(openMemoryAuditStore(), 0);
  let perRecord = 0;
  for (let at = 0; at < judged.length; at += limit.applyRecordsMax) {
    const batch = judged.slice(at, at + limit.applyRecordsMax);
    lookAt(batch);
    perRecord += await cpuPer(judged.length, () => tree.append(batch));
  }
  return perRecord;
}

/** Brings records into the processor's cache. */
function lookAt(batch: readonly JudgedRecord[]): void {
  let sum = 0;
  for (const { type, record, decision, repo: owner, moves } of batch) {
    for (const text of [type, record, decision, owner]) sum += text?.charCodeAt(0) ?? 0;
    for (const { ref, commit, version } of moves) sum += ref.charCodeAt(0) + (commit?.charCodeAt(0) ?? 0) + version;
  }
  if (!(sum > 0)) throw new Error('records have no text');
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

async function fillTree(store: AuditStore, log: GeneratedLog, count: number): Promise<number> {
  const tree = await AuditTree.open(store, 0);
  return cpuPer(count, async () => {
    for await (const batch of log.read(0, 0)) {
      await tree.append(
        await Promise.all(batch.map((record) => judgedRecord(record, async () => outcomeOf(record.offset)))),
      );
    }
  });
}

interface Proved {
  readonly store: AuditStore;
  readonly log: EventLog;
  readonly signer: NoteSigner;
  readonly count: number;
}

async function timeProofs({
  store,
  log,
  signer,
  count,
}: Proved): Promise<{ readonly median: number; readonly cpu: number }> {
  const graph = openMemoryGraphStore();
  const checkpoint = await new Notary(store, signer).publish(0, originOf(log.id, 0));
  const times: number[] = [];
  const files: string[] = [];
  const before = process.cpuUsage();
  for (let i = 0; i < proofs; i += 1) {
    const offset = Math.floor((((i * 7_919) % proofs) / proofs) * count);
    const question = { repo, ref: refOf(1 + ((i * 31) % (refs - 1))), offset };
    const start = performance.now();
    const text = await proveRef({ store, log, graph }, { tree: 0, size: count, checkpoint }, question);
    times.push(performance.now() - start);
    files.push(text);
  }
  const { user, system } = process.cpuUsage(before);
  for (const text of files) verifyProof(text, signer.verifier);
  times.sort((a, b) => a - b);
  return { median: times[proofs >> 1] as number, cpu: (user + system) / 1e3 / proofs };
}

async function timeSearch(store: AuditStore, count: number): Promise<number> {
  const start = performance.now();
  let found = 0;
  for await (const record of searchAudit(store, [0], { actor: 'agent-3', ref: refOf(3) }))
    if (record.offset >= 0) found += 1;
  const ms = performance.now() - start;
  if (found !== Math.ceil((count - 3) / refs)) throw new Error(`the search found ${found} records`);
  return ms;
}

/** Microseconds of processor time. */
async function cpuPer(count: number, work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

function refOf(n: number): RefName {
  return branchRef(`agent/${n}`);
}

/** Record `i` moves ref `i` modulo 1,000, from where record `i - 1,000` put it. */
function recordOf(offset: number): LogRecord {
  const expect = offset < refs ? { commit: null, version: 0 } : { commit: genesis.id, version: offset - refs + 1 };
  const event: Event = {
    type: 'ref.update.v1',
    txid: txidOf(offset),
    repo,
    actor: { name: `agent-${offset % 10}`, verified: false },
    request: null,
    gcEpoch: 0,
    operation: 'update',
    reason: '',
    commits: [],
    blobs: [],
    updates: [{ ref: refOf(offset % refs), expect, to: genesis.id, mode: 'ff' }],
  };
  return {
    offset,
    time: offset,
    bytes: encodeEvent(event, { source: 'varve/bench', time: 0, salt: Buffer.alloc(16) }),
  };
}

function outcomeOf(offset: number): OutcomeRow {
  const moves = [{ ref: refOf(offset % refs), commit: genesis.id, version: offset + 1 }];
  const row = { txid: txidOf(offset), repo, request: null, offset, time: offset, stretch: 0 };
  return { ...row, outcome: { type: 'accepted', commits: [], moves } };
}

function txidOf(offset: number): string {
  return offset.toString(16).padStart(32, '0');
}

/** A log whose records are made when they are read: a million of them need no room. */
class GeneratedLog implements EventLog {
  readonly id = 'lbench';
  readonly partitionCount = 1;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  async append(): Promise<void> {
    throw new Error('nothing is appended to it');
  }

  async *read(_partition: number, from: number): AsyncGenerator<readonly LogRecord[]> {
    for (let at = from; at < this.#count; at += limit.applyRecordsMax) {
      const width = Math.min(limit.applyRecordsMax, this.#count - at);
      yield Array.from({ length: width }, (_, i) => recordOf(at + i));
    }
  }

  follow(partition: number, from: number): AsyncGenerator<readonly LogRecord[]> {
    return this.read(partition, from);
  }

  async end(): Promise<number> {
    return this.#count;
  }

  async close(): Promise<void> {}
}
