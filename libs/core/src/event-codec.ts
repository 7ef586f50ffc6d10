import { isCommitId } from './commit.js';
import { isDigest, type DiffId } from './digest.js';
import type { Actor, Event, ImportedFrom, NamedBlob, RefOperation } from './event.js';
import { limit } from './limit.js';
import { parseRefName, parseRepositoryName, type RefName, type RepositoryName } from './name.js';
import type { RefUpdate, RefValue } from './ref.js';

/** What stands around an event and decides nothing. */
export interface Envelope {
  /** Who wrote it: `varve/<log>`. */
  readonly source: string;
  /** The writer's clock, milliseconds since 1970; told, never decided by. */
  readonly time: number;
  /** 16 random bytes that keep the digest of a guessable event unguessable. @see event-log 5.3 */
  readonly salt: Uint8Array;
  /** W3C trace context of the request. */
  readonly traceparent?: string | undefined;
}

/** A record as the fold sees it. What cannot be read is a value too: the fold answers every record ever appended. */
export type DecodedRecord =
  | { readonly type: 'event'; readonly event: Event; readonly imported?: ImportedFrom }
  | {
      readonly type: 'malformed';
      readonly reason: string;
      /** Null when not even the transaction can be read; nobody waits for such a record. */
      readonly txid: string | null;
      readonly repo: RepositoryName | null;
      readonly imported?: ImportedFrom;
    };

const typePrefix = 'dev.varve.';
const importType = 'dev.varve.import.v1';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The bytes of an event as they stand in the log: one CloudEvents 1.0 document in structured mode. Encode once and send
 * again the same bytes: they are the truth.
 * @see event-log 5.1
 */
export function encodeEvent(event: Event, envelope: Envelope): Uint8Array {
  const repo = 'repo' in event ? event.repo : undefined;
  const name = event.type.slice(0, event.type.lastIndexOf('.v'));
  return Buffer.from(
    JSON.stringify({
      specversion: '1.0',
      id: event.txid,
      source: envelope.source,
      type: typePrefix + event.type,
      subject: repo,
      time: new Date(envelope.time).toISOString(),
      datacontenttype: 'application/json',
      dataschema: `varve:${name}/${event.type.slice(name.length + 2)}`,
      partitionkey: repo,
      traceparent: envelope.traceparent,
      data: { salt: Buffer.from(envelope.salt).toString('base64'), ...payloadOf(event) },
    }),
  );
}

/** A record of another log as it is wrapped. */
export interface Imported {
  readonly bytes: Uint8Array;
  readonly from: ImportedFrom;
  /** Copies that were known where it stood, and may not be here: as if it named them itself. */
  readonly knownBlobs: readonly NamedBlob[];
}

/**
 * A record of another log, wrapped to stand in this one: its bytes, and where they stood. It is read as the record in
 * it, so every decision and every version comes out as it was. @see event-log 1.5
 */
export function encodeImport(
  { bytes, from, knownBlobs }: Imported,
  envelope: Pick<Envelope, 'source' | 'time'>,
): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      specversion: '1.0',
      id: `${from.log}.${from.partition}.${from.offset}`,
      source: envelope.source,
      type: importType,
      time: new Date(envelope.time).toISOString(),
      datacontenttype: 'application/json',
      dataschema: 'varve:import/1',
      data: {
        originalLog: from.log,
        originalPartition: from.partition,
        originalOffset: from.offset,
        originalTime: from.time,
        ...(knownBlobs.length === 0 ? {} : { knownBlobs }),
        bytes: Buffer.from(bytes).toString('base64'),
      },
    }),
  );
}

function payloadOf(event: Event): Record<string, unknown> {
  const { type: _type, txid: _txid, ...rest } = event;
  if ('repo' in rest) {
    const { repo: _repo, ...payload } = rest;
    if (!('commits' in payload)) return payload;
    return { ...payload, commits: payload.commits.map((bytes) => Buffer.from(bytes).toString('base64')) };
  }
  return rest;
}

/**
 * Reads one record. Total: whatever the bytes are, the answer is a value, the same one in every process. Members it
 * does not know are passed over, so that a later writer may add some; members it needs must be exactly right.
 */
export function decodeEvent(bytes: Uint8Array): DecodedRecord {
  let document: unknown;
  try {
    checkSize(bytes);
    document = parseJson(bytes);
    if ((document as Members | null)?.['type'] !== importType) return { type: 'event', event: readEvent(document) };
    const { from, bytes: original, knownBlobs } = readImport(document);
    // Of a record that was copied twice, the first place counts.
    return { imported: from, ...withBlobs(decodeEvent(original), knownBlobs) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return {
      type: 'malformed',
      reason: error.message,
      txid: legible(document, 'id', isTxid),
      repo: legibleRepo(document),
    };
  }
}

function withBlobs(decoded: DecodedRecord, knownBlobs: readonly NamedBlob[]): DecodedRecord {
  if (knownBlobs.length === 0 || decoded.type === 'malformed' || !('commits' in decoded.event)) return decoded;
  const { event } = decoded;
  return { ...decoded, event: { ...event, blobs: [...event.blobs, ...knownBlobs] } };
}

/** Carries the reason out of the nested readers below; never leaves this file. */
class Malformed extends Error {}

/** Only the wrapping of a record may be longer than a record. */
function checkSize(bytes: Uint8Array): void {
  if (bytes.length <= limit.recordBytesMax) return;
  if (bytes.length <= limit.importRecordBytesMax && unwrapImport(bytes)) return;
  throw new Malformed(`it has ${bytes.length} bytes`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    // The engine's own words differ between versions, and the reason becomes part of the state.
    throw new Malformed('it is not JSON in UTF-8');
  }
}

/** The record that an import wraps, and where it stood; undefined for any other record. */
export function unwrapImport(bytes: Uint8Array): Imported | undefined {
  try {
    const document = parseJson(bytes) as Members | null;
    return document?.['type'] === importType ? readImport(document) : undefined;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function readImport(value: unknown): Imported {
  const data = record(record(value, 'the record')['data'], 'data');
  const from = {
    log: matching(data, 'originalLog', (log) => /^[a-z0-9]{1,64}$/.test(log), 'the id of a log'),
    partition: count(data, 'originalPartition'),
    offset: count(data, 'originalOffset'),
    time: count(data, 'originalTime'),
  };
  const knownBlobs = data['knownBlobs'] === undefined ? [] : list(data, 'knownBlobs').map(readBlob);
  return { from, knownBlobs, bytes: readBase64(data['bytes'], 'bytes') };
}

function readEvent(value: unknown): Event {
  const document = record(value, 'the record');
  if (document['specversion'] !== '1.0') throw new Malformed('specversion is not 1.0');
  const txid = matching(document, 'id', isTxid, '32 or 64 lower-case hex digits');
  const type = text(document, 'type');
  const data = record(document['data'], 'data');
  switch (type) {
    case 'dev.varve.repo.create.v1':
      return { type: 'repo.create.v1', ...readProposal(document, data, txid), defaultBranch: readBranch(data) };
    case 'dev.varve.commit.batch.v1': {
      const proposal = readProposal(document, data, txid);
      if (proposal.updates.length > 0) throw new Malformed('a commit.batch moves no refs');
      return { type: 'commit.batch.v1', ...proposal };
    }
    case 'dev.varve.ref.update.v1':
      return { type: 'ref.update.v1', ...readProposal(document, data, txid) };
    case 'dev.varve.tx.cancel.v1': {
      const target = matching(data, 'target', isTxid, '32 or 64 lower-case hex digits');
      if (target === txid) throw new Malformed('a transaction cancels itself');
      return {
        type: 'tx.cancel.v1',
        ...readProposed(document, data, txid),
        target,
        targetEpoch: count(data, 'targetEpoch'),
      };
    }
    case 'dev.varve.rules.activate.v1':
      return { type: 'rules.activate.v1', txid, rules: count(data, 'rules') };
    case 'dev.varve.gc.fence.v1':
      return { type: 'gc.fence.v1', txid, ...readCollection(data) };
    case 'dev.varve.blob.swept.v1':
      return { type: 'blob.swept.v1', txid, ...readCollection(data) };
    case 'dev.varve.checkpoint.v1':
      return { type: 'checkpoint.v1', txid, ...readCheckpoint(data) };
    default:
      throw new Malformed(`its type is ${JSON.stringify(type.slice(0, 64))}`);
  }
}

function readCheckpoint(data: Members) {
  return {
    origin: text(data, 'origin'),
    size: count(data, 'size'),
    root: text(data, 'root'),
    note: text(data, 'note'),
  };
}

function readProposed(document: Members, data: Members, txid: string) {
  const request = data['request'];
  if (request !== null && !isHex64(request)) throw new Malformed('request is not a digest in hex');
  const { requestId } = data;
  return {
    txid,
    repo: readRepo(document),
    actor: readActor(data['actor']),
    request,
    gcEpoch: count(data, 'gcEpoch'),
    // Told and never decided by: what is no text counts as absent, as in records that have none.
    ...(typeof requestId === 'string' && requestId.isWellFormed() ? { requestId } : {}),
  };
}

function readProposal(document: Members, data: Members, txid: string) {
  const updates = list(data, 'updates').map(readUpdate);
  if (updates.length > limit.refUpdatesPerRecordMax) throw new Malformed(`it moves ${updates.length} refs`);
  if (new Set(updates.map((update) => update.ref)).size !== updates.length) throw new Malformed('it moves a ref twice');
  return {
    ...readProposed(document, data, txid),
    operation: matching(data, 'operation', isOperation, 'an operation'),
    reason: text(data, 'reason'),
    commits: list(data, 'commits').map((commit) => readBase64(commit, 'a commit')),
    blobs: list(data, 'blobs').map(readBlob),
    updates,
  };
}

function readActor(value: unknown): Actor {
  const actor = record(value, 'actor');
  if (typeof actor['verified'] !== 'boolean') throw new Malformed('actor.verified is neither true nor false');
  return { name: text(actor, 'name'), verified: actor['verified'] };
}

function readRepo(document: Members): RepositoryName {
  return parsed(parseRepositoryName, text(document, 'subject'), 'subject');
}

function readBranch(data: Members): RefName {
  const branch = readRef(data, 'defaultBranch');
  if (!branch.startsWith('refs/heads/')) throw new Malformed('defaultBranch is not a branch');
  return branch;
}

function readRef(members: Members, name: string): RefName {
  return parsed(parseRefName, text(members, name), name);
}

function readUpdate(value: unknown): RefUpdate {
  const update = record(value, 'an update');
  const mode = update['mode'];
  if (mode !== 'ff' && mode !== 'force') throw new Malformed('mode is neither ff nor force');
  return {
    ref: readRef(update, 'ref'),
    expect: readRefValue(update['expect']),
    to: readTarget(update['to'], 'to'),
    mode,
  };
}

function readRefValue(value: unknown): RefValue {
  const expect = record(value, 'expect');
  return { commit: readTarget(expect['commit'], 'expect.commit'), version: count(expect, 'version') };
}

function readTarget(value: unknown, name: string) {
  if (value !== null && !isCommitId(value)) throw new Malformed(`${name} is neither a commit id nor null`);
  return value;
}

function readCollection(data: Members) {
  return { gcEpoch: count(data, 'gcEpoch'), gcId: text(data, 'gcId'), blobs: list(data, 'blobs').map(readCopy) };
}

function readBlob(value: unknown): NamedBlob {
  const blob = record(value, 'a blob');
  return {
    ...readCopy(value),
    size: count(blob, 'size'),
    mediaType: matching(blob, 'mediaType', (type) => type !== '' && type.length <= 255, 'a media type'),
    layer: blob['layer'] === null ? null : readLayer(record(blob['layer'], 'layer')),
  };
}

function readLayer(layer: Members): NonNullable<NamedBlob['layer']> {
  return { diffId: matching(layer, 'diffId', isDigest, 'a digest') as DiffId, tarBytes: count(layer, 'tarBytes') };
}

function readCopy(value: unknown): Pick<NamedBlob, 'digest' | 'incarnation'> {
  const copy = record(value, 'a blob');
  return {
    digest: matching(copy, 'digest', isDigest, 'a digest'),
    incarnation: matching(copy, 'incarnation', isIncarnation, 'an incarnation'),
  };
}

/** Exactly the one base64 text of the bytes: Buffer alone would pass over what it does not know. */
function readBase64(value: unknown, name: string): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== value) throw new Malformed(`${name} is not base64`);
  return bytes;
}

type Members = Readonly<Record<string, unknown>>;

function record(value: unknown, name: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Malformed(`${name} is not an object`);
  return value as Members;
}

function list(members: Members, name: string): readonly unknown[] {
  const value = members[name];
  if (!Array.isArray(value)) throw new Malformed(`${name} is not a list`);
  return value;
}

function text(members: Members, name: string): string {
  const value = members[name];
  if (typeof value !== 'string' || !value.isWellFormed()) throw new Malformed(`${name} is not text`);
  return value;
}

function count(members: Members, name: string): number {
  const value = members[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Malformed(`${name} is not a count`);
  return value as number;
}

function matching<T extends string>(members: Members, name: string, is: Guard<T>, what: string): T {
  const value = text(members, name);
  if (!is(value)) throw new Malformed(`${name} is not ${what}`);
  return value as T;
}
type Guard<T extends string> = ((value: string) => value is T) | ((value: string) => boolean);

/** A name must be given in full: what the parser would have to change is refused. */
function parsed<T extends string>(parse: (text: string) => T, value: string, name: string): T {
  try {
    if (parse(value) === value) return value as T;
  } catch {
    // Falls through to the one message of ours.
  }
  throw new Malformed(`${name} is not a name we accept`);
}

const operations: readonly string[] = [
  'init', 'load', 'commit', 'branch', 'tag', 'reset', 'rollback', 'delete', 'restore', 'update',
] satisfies RefOperation[]; // prettier-ignore

function isOperation(value: string): value is RefOperation {
  return operations.includes(value);
}

function isTxid(value: string): boolean {
  return /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(value);
}

function isHex64(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isIncarnation(value: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

function legible(document: unknown, name: string, is: (value: string) => boolean): string | null {
  const value = (document as Members | null | undefined)?.[name];
  return typeof value === 'string' && is(value) ? value : null;
}

function legibleRepo(document: unknown): RepositoryName | null {
  const value = legible(document, 'subject', () => true);
  try {
    return value === null ? null : parseRepositoryName(value);
  } catch {
    return null;
  }
}
