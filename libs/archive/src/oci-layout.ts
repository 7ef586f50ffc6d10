import type { Descriptor, Platform } from '#core/commit';
import { type Digest, hexOf } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import { JsonPlace } from '#core/json-place';
import { limit } from '#core/limit';
import { type IndexEntry, parseIndex, parseManifest } from '#core/manifest';
import { compressionOf, isConfigType, isIndexType, isManifestType, mediaType } from '#core/media-type';
import type { ArchiveContents } from './archive-contents.js';
import type { ArchiveDocument, ImageName, IndexedImage, StackedImage, StoredLayer } from './archive-image.js';
import { invalid } from './entry-name.js';
import { groupPlatforms, type IndexMember } from './group-platforms.js';
import { parseImageName, parseRefNameAnnotation, unnamed } from './image-name.js';
import { stackedImage } from './stacked-image.js';

/** The images of an OCI layout. `broken` are manifests that do not fit their configs, and which those are: none but beside a manifest.json. */
export interface OciImages<Layer extends StoredLayer> {
  readonly images: readonly (StackedImage<Layer> | IndexedImage<Layer>)[];
  readonly broken: readonly { readonly config: Digest | null; readonly error: VarveError }[];
}

/** One manifest to read. `isOptional`: of an index of platforms, of which an archive may hold some only. */
interface Wanted {
  readonly descriptor: Descriptor;
  readonly names: readonly ImageName[];
  readonly platform: Platform | null;
  readonly index: NamedIndex;
  readonly isOptional: boolean;
}

/** The index that index.json calls by a name, or index.json itself. */
type NamedIndex = IndexMember<StoredLayer>['index'];

/** Reads `index.json`, the indexes it names, and every image's manifest, config and layers. @see OCI image-spec, image-layout.md */
export function ociImages<Layer extends StoredLayer>(
  contents: ArchiveContents<Layer>,
  warnings: string[],
): OciImages<Layer> {
  checkLayoutVersion(contents);
  const document = contents.document('index.json');
  if (!document) return { images: [], broken: [] };
  const wanted = mergeNames(manifestsOf(contents, document, warnings));
  const hasManifestJson = contents.has('manifest.json');
  const images: IndexMember<Layer>[] = [];
  const broken: { config: Digest | null; error: VarveError }[] = [];
  const absent: VarveError[] = [];
  for (const one of wanted) {
    try {
      const image = ociImage(contents, one);
      images.push({ image, platform: one.platform ?? image.config.platform, index: one.index });
    } catch (error) {
      if (one.isOptional && isVarveError(error, 'BLOB_MISSING')) absent.push(error);
      else if (hasManifestJson && isVarveError(error, 'MANIFEST_INVALID'))
        broken.push({ config: configOf(contents, one), error });
      else throw error;
    }
  }
  if (absent[0] && images.length === 0) throw absent[0];
  warnings.push(...absent.map((error) => `a platform is not in the archive and was left out: ${error.message}`));
  return { images: groupPlatforms(images), broken };
}

/** Every manifest that the layout's index reaches, and the names it goes by. An index hands its names on. */
function manifestsOf(contents: ArchiveContents<StoredLayer>, root: ArchiveDocument, warnings: string[]): Wanted[] {
  const wanted: Wanted[] = [];
  const whole = {
    descriptor: { mediaType: mediaType.index, digest: root.digest, size: root.bytes.length },
    document: root,
  };
  const indexes: { document: ArchiveDocument; names: readonly ImageName[] | null; named: NamedIndex }[] = [
    { document: root, names: null, named: whole },
  ];
  // Read in order, each once per mention; the list grows while it is read.
  for (const [i, index] of indexes.entries()) {
    for (const entry of parseIndex(index.document.bytes, index.document.path)) {
      const { descriptor } = entry;
      const names = index.names ?? namesOf(entry);
      if (isIndexType(descriptor.mediaType)) {
        const document = documentOf(contents, descriptor, 'index');
        indexes.push({ document, names, named: i === 0 ? { descriptor, document } : index.named });
      } else if (isManifestType(descriptor.mediaType) && !isAttestation(entry)) {
        wanted.push({ descriptor, names, platform: entry.platform, index: index.named, isOptional: i > 0 });
      } else {
        const kind = isAttestation(entry) ? 'an attestation' : descriptor.mediaType;
        warnings.push(
          `${index.document.path} names ${descriptor.digest} (${kind}), which is no image and was left out`,
        );
      }
    }
    if (indexes.length + wanted.length > limit.archiveImagesMax) {
      throw new VarveError(
        'LIMIT_EXCEEDED',
        `index.json reaches more than ${limit.archiveImagesMax} manifests and indexes`,
        {
          limit: limit.archiveImagesMax,
        },
      );
    }
  }
  return wanted;
}

function namesOf({ annotations }: IndexEntry): ImageName[] {
  const full = annotations.get('io.containerd.image.name');
  if (full) return [parseImageName(full)];
  const ref = annotations.get('org.opencontainers.image.ref.name');
  return [ref ? parseRefNameAnnotation(ref) : unnamed];
}

/** What BuildKit puts beside an image of several platforms. */
function isAttestation({ annotations, platform }: IndexEntry): boolean {
  return annotations.has('vnd.docker.reference.type') || platform?.os === 'unknown';
}

/** A manifest with several names stands in an index once for each. */
function mergeNames(all: readonly Wanted[]): Wanted[] {
  const merged = new Map<string, Wanted>();
  for (const one of all) {
    const key = `${one.descriptor.digest} ${one.index.descriptor.digest}`;
    const before = merged.get(key);
    merged.set(key, before ? { ...before, names: [...before.names, ...one.names] } : one);
  }
  return [...merged.values()];
}

function ociImage<Layer extends StoredLayer>(contents: ArchiveContents<Layer>, wanted: Wanted): StackedImage<Layer> {
  const document = documentOf(contents, wanted.descriptor, 'manifest');
  const manifest = parseManifest(document.bytes, `manifest ${wanted.descriptor.digest}`);
  if (!isConfigType(manifest.config.mediaType)) {
    throw new VarveError(
      'UNSUPPORTED',
      `manifest ${wanted.descriptor.digest} is of no image: its config is ${manifest.config.mediaType}`,
      {
        manifest: wanted.descriptor.digest,
        mediaType: manifest.config.mediaType,
      },
    );
  }
  return stackedImage({
    names: wanted.names,
    configDocument: documentOf(contents, manifest.config, 'config'),
    configMediaType: manifest.config.mediaType,
    manifest: { descriptor: wanted.descriptor, document },
    layers: manifest.layers.map((layer) => layerOf(contents, layer)),
  });
}

function configOf(contents: ArchiveContents<StoredLayer>, { descriptor }: Wanted): Digest | null {
  const document = contents.document(pathOf(descriptor));
  if (!document) return null;
  const config = JsonPlace.parse(document.bytes, document.path, 'MANIFEST_INVALID').get('config').get('digest');
  return config.exists ? config.digest() : null;
}

function layerOf<Layer extends StoredLayer>(contents: ArchiveContents<Layer>, descriptor: Descriptor): Layer {
  if (compressionOf(descriptor.mediaType) === undefined) {
    throw new VarveError(
      'UNSUPPORTED',
      `layer ${descriptor.digest} is ${descriptor.mediaType}: expected a tar, plain, gzip or zstd, not encrypted`,
      { layer: descriptor.digest, mediaType: descriptor.mediaType },
    );
  }
  const layer = contents.layer(pathOf(descriptor));
  if (!layer) throw missing(descriptor, 'layer');
  checkDescriptor(descriptor, layer.digest, layer.sizeBytes, 'layer');
  return layer;
}

function documentOf(contents: ArchiveContents<StoredLayer>, descriptor: Descriptor, kind: string): ArchiveDocument {
  const document = contents.document(pathOf(descriptor));
  if (!document) throw missing(descriptor, kind);
  checkDescriptor(descriptor, document.digest, document.bytes.length, kind);
  return document;
}

function pathOf({ digest }: Descriptor): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** The bytes of some layers (Windows' bases) are named for others to fetch; a load never fetches. */
function missing(descriptor: Descriptor, kind: string): VarveError {
  const { digest, mediaType: type } = descriptor;
  const why = /foreign|nondistributable/.test(type) ? `: as ${type} its bytes are kept elsewhere` : '';
  const message = `the archive names the ${kind} ${digest} and does not hold it${why}`;
  return new VarveError('BLOB_MISSING', message, { digest, mediaType: type });
}

function checkDescriptor(expected: Descriptor, digest: Digest, sizeBytes: number, kind: string): void {
  if (digest !== expected.digest) {
    throw new VarveError('DIGEST_MISMATCH', `${kind} at ${pathOf(expected)} has the digest ${digest}`, {
      expected: expected.digest,
      actual: digest,
    });
  }
  if (sizeBytes !== expected.size) {
    throw new VarveError(
      'SIZE_MISMATCH',
      `${kind} ${digest} has ${sizeBytes} bytes, its descriptor says ${expected.size}`,
      {
        digest,
        expected: expected.size,
        actual: sizeBytes,
      },
    );
  }
}

function checkLayoutVersion(contents: ArchiveContents<StoredLayer>): void {
  const document = contents.document('oci-layout');
  if (!document) {
    if (contents.has('manifest.json')) return;
    throw invalid('oci-layout', 'an OCI layout says its version', 'it has index.json and no oci-layout');
  }
  const version = JsonPlace.parse(document.bytes, 'oci-layout', 'ARCHIVE_INVALID').get('imageLayoutVersion');
  if (!version.text().startsWith('1.')) throw version.fault('1.x');
}
