import { type PaxRecords, paxCount, paxId, paxSparseNumbers, paxTime, type PaxXattrs, paxXattrs } from './pax.js';
import { refusal, type TarPlace } from './refusal.js';
import { gnuSparseNumbers, type SparseMap } from './sparse.js';
import { tarNumber, tarTime } from './tar-number.js';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/**
 * One entry as its headers say, GNU and PAX extensions applied. `path`, `link` and values of `xattrs` are views of the
 * bytes that were pushed. Sizes and offsets in bytes of the tar.
 */
export interface TarHeader {
  /** 0-based number of the entry in the tar. */
  readonly index: number;
  /** Where its own header block stands (not an extended header before it). */
  readonly offset: number;
  /** Where its stored bytes begin. */
  readonly dataOffset: number;
  readonly type: EntryType;
  /** Raw bytes, as written: perhaps absolute, with `./`, or not UTF-8. */
  readonly path: Buffer;
  readonly link: Buffer;
  /** Bytes of content, holes counted. 0 for everything but files. */
  readonly size: number;
  /** Bytes that stand in the tar; less than `size` for a sparse file. */
  readonly storedBytes: number;
  readonly sparse: SparseMap | null;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, rounded down; with `mtimeNanos` after them. */
  readonly mtimeSeconds: bigint;
  readonly mtimeNanos: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: PaxXattrs;
  /** A size on an entry that has no content by its type: ignored, as Go does. */
  readonly ignoredSize: boolean;
}

/** What extended headers before an entry said; null where there was none. */
export interface Extensions {
  readonly pax: PaxRecords | null;
  readonly longName: Buffer | null;
  readonly longLink: Buffer | null;
}

/** How the stored bytes of an entry lie behind its header. */
export type BodyForm = 'plain' | 'gnu-sparse' | 'pax-sparse' | 'pax-sparse-with-head' | 'ignored';

/** A header of which a sparse file may still need the map. `storedBytes` is what the framing says. */
export interface HeaderDraft {
  readonly form: BodyForm;
  readonly storedBytes: number;
  readonly sparseNumbers: readonly number[];
  readonly sparseSize: number;
  /** Another block of a GNU sparse map follows. */
  readonly mapContinues: boolean;
  /** All but where the content lies; null for a volume label, which is no entry. */
  readonly header: Omit<TarHeader, 'dataOffset' | 'size' | 'storedBytes' | 'sparse'> | null;
}

const idMax = 2 ** 32 - 2;

const types: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** Reads one ustar, V7 or GNU header block, with the extensions that stood before it. @throws LAYER_INVALID */
export function readHeader(block: Buffer, extensions: Extensions, place: TarPlace): HeaderDraft {
  const { pax } = extensions;
  const values = pax?.values;
  const flag = String.fromCharCode(block[156]!);
  const isUstar = block.toString('latin1', 257, 262) === 'ustar';
  const isDevice = isUstar && (flag === '3' || flag === '4');
  const mode = modeOf(block, place);
  let uid = tarNumber(block, 108, 116, place);
  let gid = tarNumber(block, 116, 124, place);
  let size = tarNumber(block, 124, 136, place);
  let mtimeSeconds = tarTime(block, 136, 148, place);
  let mtimeNanos = 0;
  const deviceMajor = isDevice ? tarNumber(block, 329, 337, place) : 0;
  const deviceMinor = isDevice ? tarNumber(block, 337, 345, place) : 0;
  if (values !== undefined) {
    if (isSet(values, 'size')) size = paxCount(values.get('size')!, 'size', place);
    if (isSet(values, 'uid')) uid = paxId(values.get('uid')!, 'uid', place);
    if (isSet(values, 'gid')) gid = paxId(values.get('gid')!, 'gid', place);
    if (isSet(values, 'mtime')) ({ seconds: mtimeSeconds, nanos: mtimeNanos } = paxTime(values.get('mtime')!, place));
  }
  const path = nameOf(block, extensions, place);
  const link = extensions.longLink ?? (isSet(values, 'linkpath') ? values!.get('linkpath')! : field(block, 157, 257));
  if (flag === 'V') return { form: 'ignored', storedBytes: size, ...notSparse, header: null };
  const namedType = types[flag];
  if (namedType === undefined) {
    throw refusal(place, 'unknown-typeflag', `its typeflag is ${JSON.stringify(flag)}, which we do not know`, path);
  }
  if (!isId(uid) || !isId(gid)) {
    throw refusal(place, 'id-out-of-range', `its owner is ${uid}:${gid}; ids go from 0 to ${idMax}`, path);
  }
  const type = flag === '\0' && path.at(-1) === 0x2f ? 'directory' : namedType;
  const hasBody = namedType === 'file';
  return {
    ...bodyOf(block, flag, type, hasBody ? size : 0, pax, place),
    header: {
      index: place.entry,
      offset: place.offset,
      type,
      path,
      link,
      mode,
      uid,
      gid,
      mtimeSeconds,
      mtimeNanos,
      deviceMajor,
      deviceMinor,
      xattrs: paxXattrs(pax),
      ignoredSize: !hasBody && size > 0,
    },
  };
}

const notSparse = { sparseNumbers: [], sparseSize: 0, mapContinues: false };

function bodyOf(
  block: Buffer,
  flag: string,
  type: EntryType,
  storedBytes: number,
  pax: PaxRecords | null,
  place: TarPlace,
): Omit<HeaderDraft, 'header'> {
  if (type !== 'file') return { form: 'ignored', storedBytes, ...notSparse };
  if (flag === 'S') {
    return {
      form: 'gnu-sparse',
      storedBytes,
      sparseNumbers: gnuSparseNumbers(block, 386, 4, place),
      sparseSize: tarNumber(block, 483, 495, place),
      mapContinues: block[482] !== 0,
    };
  }
  if (pax === null) return { form: 'plain', storedBytes, ...notSparse };
  const { values } = pax;
  const realSize = values.get('GNU.sparse.realsize') ?? values.get('GNU.sparse.size');
  const hasHead = values.get('GNU.sparse.major')?.toString('latin1') === '1';
  const sparseNumbers = paxSparseNumbers(pax, place);
  if (realSize === undefined) {
    if (!hasHead && sparseNumbers.length === 0) return { form: 'plain', storedBytes, ...notSparse };
    throw refusal(place, 'sparse-map', 'it has a sparse map, and no size to go with it');
  }
  const sparseSize = paxCount(realSize, 'GNU.sparse.realsize', place);
  const form = hasHead ? 'pax-sparse-with-head' : 'pax-sparse';
  return { form, storedBytes, sparseNumbers, sparseSize, mapContinues: false };
}

/** The permission bits, of whatever number: a binary one can be beyond what a number of ours holds exactly. */
function modeOf(block: Buffer, place: TarPlace): number {
  const isBinary = (block[100]! & 0x80) !== 0;
  return (isBinary ? block.readUInt16BE(106) : tarNumber(block, 100, 108, place)) & 0o7777;
}

function nameOf(block: Buffer, { pax, longName }: Extensions, place: TarPlace): Buffer {
  const values = pax?.values;
  const hasPath = isSet(values, 'path');
  if (longName !== null && hasPath) {
    throw refusal(place, 'both-long-names', 'it has a GNU and a PAX long name, and readers do not agree on one');
  }
  if (longName !== null) return longName;
  const sparseName = values?.get('GNU.sparse.name');
  if (sparseName !== undefined) return sparseName;
  return hasPath ? values!.get('path')! : ustarName(block);
}

function ustarName(block: Buffer): Buffer {
  const name = field(block, 0, 100);
  const hasPrefix = block[345] !== 0 && block.toString('latin1', 257, 263) === 'ustar\0';
  if (!hasPrefix) return name;
  return Buffer.concat([field(block, 345, 500), slash, name]);
}

const slash = Buffer.from('/');

/** The bytes of a text field up to its NUL. */
function field(block: Buffer, from: number, to: number): Buffer {
  const end = block.indexOf(0, from);
  return block.subarray(from, end === -1 || end > to ? to : end);
}

/** An empty value takes the record back, and the header's own field counts. */
function isSet(values: ReadonlyMap<string, Buffer> | undefined, key: string): boolean {
  const value = values?.get(key);
  return value !== undefined && value.length > 0;
}

function isId(id: number): boolean {
  return id >= 0 && id <= idMax;
}
