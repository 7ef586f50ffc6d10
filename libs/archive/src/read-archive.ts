import type { Platform } from '#core/commit';
import { type Digest, DigestBuilder, digestOf } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import { limit } from '#core/limit';
import { readTar, type TarEntry } from '#tar/read-tar';
import { ArchiveContents, type ArchiveEntry } from './archive-contents.js';
import type { ReadArchive, StoredLayer } from './archive-image.js';
import { isNamedLayer, kindBytes, looksLikeJson, looksLikeLayer } from './entry-kind.js';
import { entryNameOf, invalid } from './entry-name.js';
import { imagesOf } from './images-of.js';
import { peek } from './peek.js';

/** What becomes of a layer's bytes as they pass: they are read to the end, or the promise fails with what is wrong. */
export type ReceiveLayer<Layer extends StoredLayer> = (bytes: AsyncIterable<Uint8Array>) => Promise<Layer>;

export interface ArchiveOptions<Layer extends StoredLayer> {
  readonly receive: ReceiveLayer<Layer>;
  /** Of an archive with several platforms, only this one's images. */
  readonly platform?: Platform | null | undefined;
}

/**
 * Reads an image archive (a plain tar, as a stream) in one pass: layers go to `receive` as they come, JSON documents
 * are kept in memory, and the images are put together at the end; so entries may stand in any order, and nothing is
 * read twice. Layouts: docker 1.x folders, manifest.json of docker 1.10 and later, OCI, and several of them at once.
 * The caller owns what `receive` gave, also when this fails.
 * @throws ARCHIVE_INVALID (detail: entry, rule), MANIFEST_INVALID, LAYER_INVALID, DIGEST_MISMATCH, SIZE_MISMATCH,
 *   NAME_INVALID, UNSUPPORTED, LIMIT_EXCEEDED, and what `receive` throws
 */
export async function readArchive<Layer extends StoredLayer>(
  source: AsyncIterable<Uint8Array>,
  options: ArchiveOptions<Layer>,
): Promise<ReadArchive<Layer>> {
  const contents = await readContents(source, options.receive);
  contents.checkLinks();
  return imagesOf(contents, options.platform ?? null);
}

async function readContents<Layer extends StoredLayer>(
  source: AsyncIterable<Uint8Array>,
  receive: ReceiveLayer<Layer>,
): Promise<ArchiveContents<Layer>> {
  const contents = new ArchiveContents<Layer>();
  let entries = 0;
  let documentBytes = 0;
  for await (const entry of readTar(source)) {
    if ((entries += 1) > limit.archiveEntriesMax) throw tooMany('entries', limit.archiveEntriesMax);
    const name = entryNameOf(entry.path);
    if (name === '') continue;
    const kept = await keep(name, entry, receive);
    if (kept === undefined) continue;
    if (kept.type === 'document' && (documentBytes += kept.document.bytes.length) > limit.archiveDocumentsBytesMax) {
      throw tooMany('bytes of JSON', limit.archiveDocumentsBytesMax);
    }
    contents.add(name, kept);
  }
  return contents;
}

async function keep<Layer extends StoredLayer>(
  name: string,
  entry: TarEntry,
  receive: ReceiveLayer<Layer>,
): Promise<ArchiveEntry<Layer> | undefined> {
  switch (entry.type) {
    case 'directory':
      return { type: 'directory' };
    case 'symlink':
    case 'hardlink':
      return { type: entry.type, target: entry.link.toString('utf8') };
    case 'file':
      return keepFile(name, entry, receive);
    default:
      throw invalid(name, 'archives hold files, directories and links', `${name} is a device or fifo (${entry.type})`);
  }
}

async function keepFile<Layer extends StoredLayer>(
  name: string,
  entry: TarEntry,
  receive: ReceiveLayer<Layer>,
): Promise<ArchiveEntry<Layer>> {
  const outer: Outer = {};
  const { head, all } = await peek(remembering(outer, name, entry.body()), kindBytes);
  if (isNamedLayer(name) || looksLikeLayer(head)) return keepLayer(name, entry, receive, { outer, all });
  if (looksLikeJson(head) && entry.size <= limit.documentBytesMax) {
    const bytes = await collect(all);
    return { type: 'document', document: { path: name, digest: digestOf(bytes), bytes } };
  }
  return { type: 'other', digest: await digestOfStream(all), sizeBytes: entry.size, fault: null };
}

/**
 * A file that is named as a layer must be one, and a fault ends the reading at once. A blob of an OCI layout only
 * looks like one (it may be a chart or an attestation): its fault is kept, and thrown if a manifest names it as a layer.
 */
async function keepLayer<Layer extends StoredLayer>(
  name: string,
  entry: TarEntry,
  receive: ReceiveLayer<Layer>,
  body: { readonly outer: Outer; readonly all: AsyncIterable<Uint8Array> },
): Promise<ArchiveEntry<Layer>> {
  try {
    return { type: 'layer', layer: await receive(body.all) };
  } catch (cause) {
    // A layer that ends early because the archive does is the archive's fault.
    if (body.outer.fault) throw body.outer.fault;
    if (!isFaultOfBytes(cause)) throw cause;
    const fault = withEntry(cause, name) as VarveError;
    if (isNamedLayer(name)) throw fault;
    // No digest is known of it, so that a second entry of its name always differs.
    return { type: 'other', digest: digestOf(`${name} at ${entry.offset}`), sizeBytes: entry.size, fault };
  }
}

const faultsOfBytes = ['LAYER_INVALID', 'LIMIT_EXCEEDED', 'DIGEST_MISMATCH', 'SIZE_MISMATCH'] as const;

function isFaultOfBytes(error: unknown): error is VarveError {
  return isVarveError(error) && faultsOfBytes.some((code) => code === error.code);
}

/** What the archive around an entry broke while the entry's bytes were read. */
interface Outer {
  fault?: unknown;
}

/** The bytes of one entry; when the archive around it breaks, `outer` remembers. */
async function* remembering(outer: Outer, name: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (cause) {
    outer.fault = withEntry(cause, name);
    throw outer.fault;
  }
}

function withEntry(cause: unknown, name: string): unknown {
  if (!isVarveError(cause)) return cause;
  return new VarveError(cause.code, `${name}: ${cause.message}`, { ...cause.detail, archiveEntry: name }, { cause });
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function digestOfStream(source: AsyncIterable<Uint8Array>): Promise<Digest> {
  const builder = new DigestBuilder();
  for await (const chunk of source) builder.update(chunk);
  return builder.digest();
}

function tooMany(what: string, max: number): VarveError {
  return new VarveError('LIMIT_EXCEEDED', `the archive has more than ${max} ${what}`, { limit: max });
}
