import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import type { AcceptedMove, RefOperation } from '#core/event';
import type { BlobRow, LayerRow, Outcome, OutcomeRow, PartitionRow, ReflogRow, RepositoryRow } from '#core/graph-row';
import { mediaType } from '#core/media-type';
import type { RefName, RepositoryName } from '#core/name';
import { byIncarnation } from '#core/overlay-facts';
import type { RefValue } from '#core/ref';
import { PackReader, type PackWriter } from './packed.js';

/** Between values in Redis and rows of the graph. What the graph wrote it may trust to be well-formed. */

const digestPrefix = 'sha256:'.length;

/** A partition is written once a batch, so it may be legible. */
export function packPartition(partition: PartitionRow): string {
  return JSON.stringify(partition);
}

export function readPartition(text: string): PartitionRow {
  return JSON.parse(text) as PartitionRow;
}

/** A repository is written once a batch, so it may be legible. */
export function packRepository({ repo: _repo, ...fields }: RepositoryRow): string {
  return JSON.stringify(fields);
}

export function readRepository(repo: RepositoryName, value: Buffer): RepositoryRow {
  return { repo, ...(JSON.parse(value.toString()) as Omit<RepositoryRow, 'repo'>) };
}

export function packRef(writer: PackWriter, { commit, version }: RefValue): void {
  writer.f64(version);
  if (commit !== null) writer.hex(commit);
}

export function readRef(value: Buffer): RefValue {
  const reader = new PackReader(value);
  const version = reader.f64();
  return { version, commit: reader.isAtEnd ? null : (reader.hex(32) as CommitId) };
}

export function packMove(writer: PackWriter, move: ReflogRow): void {
  writer.f64(move.version).f64(move.offset).f64(move.time);
  packCommitId(writer, move.from);
  packCommitId(writer, move.to);
  writer.u8(move.actor.verified ? 1 : 0);
  packHex(writer, move.txid);
  writer.text(move.ref).text(move.operation).text(move.reason).text(move.actor.name);
}

export function readMove(repo: RepositoryName, value: Buffer): ReflogRow {
  const reader = new PackReader(value);
  const [version, offset, time] = [reader.f64(), reader.f64(), reader.f64()];
  const [from, to] = [readCommitId(reader), readCommitId(reader)];
  const verified = reader.u8() === 1;
  const txid = readHex(reader);
  const ref = reader.text() as RefName;
  const operation = reader.text() as RefOperation;
  const reason = reader.text();
  return {
    repo,
    ref,
    version,
    from,
    to,
    operation,
    reason,
    actor: { name: reader.text(), verified },
    txid,
    offset,
    time,
  };
}

export function packOutcome(
  writer: PackWriter,
  { txid, repo, request, offset, time, stretch, outcome }: OutcomeRow,
): void {
  packHex(writer, txid);
  writer
    .f64(offset)
    .f64(time)
    .f64(stretch)
    .text(repo ?? '');
  packHex(writer, request ?? '');
  if (outcome.type === 'rejected') {
    writer.u8(0).text(JSON.stringify(outcome));
    return;
  }
  writer.u8(1).u32(outcome.commits.length);
  for (const commit of outcome.commits) writer.hex(commit);
  for (const { ref, commit, version } of outcome.moves) {
    writer.text(ref).f64(version);
    packCommitId(writer, commit);
  }
}

export function readOutcome(value: Buffer): OutcomeRow {
  const reader = new PackReader(value);
  const txid = readHex(reader);
  const [offset, time, stretch] = [reader.f64(), reader.f64(), reader.f64()];
  const repo = (reader.text() || null) as RepositoryName | null;
  const request = readHex(reader) || null;
  return { txid, repo, request, offset, time, stretch, outcome: readVerdict(reader) };
}

function readVerdict(reader: PackReader): Outcome {
  if (reader.u8() === 0) return JSON.parse(reader.text()) as Outcome;
  const commits = Array.from({ length: reader.u32() }, () => reader.hex(32) as CommitId);
  const moves: AcceptedMove[] = [];
  while (!reader.isAtEnd) {
    const ref = reader.text() as RefName;
    const version = reader.f64();
    moves.push({ ref, commit: readCommitId(reader), version });
  }
  return { type: 'accepted', commits, moves };
}

export function packLayer(writer: PackWriter, { diffId, tarBytes, encodings }: LayerRow): void {
  writer.f64(tarBytes);
  for (const { digest, incarnation } of encodings) {
    packIncarnation(writer, incarnation);
    if (digest === diffId) writer.u8(0);
    else writer.u8(1).hex(digest, digestPrefix);
  }
}

export function readLayer(diffId: DiffId, value: Buffer): LayerRow {
  const reader = new PackReader(value);
  const tarBytes = reader.f64();
  const encodings: { digest: Digest; incarnation: string }[] = [];
  while (!reader.isAtEnd) {
    const incarnation = readIncarnation(reader);
    encodings.push({ digest: reader.u8() === 0 ? diffId : (`sha256:${reader.hex(32)}` as Digest), incarnation });
  }
  return { diffId, tarBytes, encodings };
}

/** The types of blobs that are many. Part of the format: a new one goes to the end. */
const mediaTypes: readonly string[] = [
  mediaType.layer,
  mediaType.layerGzip,
  mediaType.layerZstd,
  mediaType.config,
  mediaType.manifest,
  mediaType.index,
  mediaType.dockerConfig,
  mediaType.dockerManifest,
  mediaType.dockerIndex,
];

/** One copy of a blob: the value of a blob is its copies, one after the other, each after its length (u16). */
export function packCopy(writer: PackWriter, copy: BlobRow): void {
  const { incarnation, size, mediaType: type, retiredEpoch, sweptEpoch } = copy;
  packIncarnation(writer, incarnation);
  const known = mediaTypes.indexOf(type);
  writer.f64(size).u8(known + 1);
  if (known < 0) writer.text(type);
  if (retiredEpoch === null) return;
  writer.f64(retiredEpoch);
  if (sweptEpoch !== null) writer.f64(sweptEpoch);
}

export function readCopies(digest: Digest, value: Buffer): BlobRow[] {
  const copies: BlobRow[] = [];
  for (let at = 0; at < value.length;) {
    const end = at + 2 + value.readUInt16BE(at);
    copies.push(readCopy(digest, value.subarray(at + 2, end)));
    at = end;
  }
  return copies.toSorted(byIncarnation);
}

function readCopy(digest: Digest, value: Buffer): BlobRow {
  const reader = new PackReader(value);
  const incarnation = readIncarnation(reader);
  const size = reader.f64();
  const known = reader.u8();
  const type = known === 0 ? reader.text() : (mediaTypes[known - 1] as string);
  const retiredEpoch = reader.isAtEnd ? null : reader.f64();
  const sweptEpoch = reader.isAtEnd ? null : reader.f64();
  return { digest, incarnation, size, mediaType: type, retiredEpoch, sweptEpoch };
}

/** A copy in the set of the retired, which is in the order of digest and incarnation. */
export function retiredMember({ digest, incarnation }: Pick<BlobRow, 'digest' | 'incarnation'>): Buffer {
  return Buffer.concat([Buffer.from(digest.slice('sha256:'.length), 'hex'), Buffer.from(incarnation, 'ascii')]);
}

/** The copies that members of that set stand for, out of all copies of their blobs. */
export function readRetired(found: readonly (readonly [member: Buffer, copies: Buffer])[]): BlobRow[] {
  return found.flatMap(([member, copies]) => {
    const digest = `sha256:${member.toString('hex', 0, 32)}` as Digest;
    const incarnation = member.toString('ascii', 32);
    return readCopies(digest, copies).filter((copy) => copy.incarnation === incarnation);
  });
}

/** What a copy starts with, and what tells it from the others. Ours are 32 hex digits; others are kept as they are. */
export function packIncarnation(writer: PackWriter, incarnation: string): void {
  if (/^[0-9a-f]{32}$/.test(incarnation)) writer.u8(0).hex(incarnation);
  else writer.u8(incarnation.length).ascii(incarnation);
}

function readIncarnation(reader: PackReader): string {
  const length = reader.u8();
  return length === 0 ? reader.hex(16) : reader.ascii(length);
}

function packCommitId(writer: PackWriter, id: CommitId | null): void {
  if (id === null) writer.u8(0);
  else writer.u8(32).hex(id);
}

function readCommitId(reader: PackReader): CommitId | null {
  return (readHex(reader) || null) as CommitId | null;
}

/** Hex digits after the number of bytes they make. */
function packHex(writer: PackWriter, digits: string): void {
  writer.u8(digits.length / 2).hex(digits);
}

function readHex(reader: PackReader): string {
  return reader.hex(reader.u8());
}
