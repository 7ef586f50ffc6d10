import type { Platform } from '#core/commit';
import { formatPlatform } from '#core/manifest';
import type { ArchiveContents } from './archive-contents.js';
import { type ArchiveImage, type ReadArchive, type StackedImage, type StoredLayer, titleOf } from './archive-image.js';
import { dockerImages } from './docker-layout.js';
import { invalid } from './entry-name.js';
import { isLegacy, legacyImages } from './legacy-layout.js';
import { ociImages } from './oci-layout.js';

/** Puts the images together from what the pass kept. @throws as `readArchive` does */
export function imagesOf<Layer extends StoredLayer>(
  contents: ArchiveContents<Layer>,
  platform: Platform | null,
): ReadArchive<Layer> {
  const warnings: string[] = [];
  const images = ofPlatform(imagesOfLayout(contents, warnings), platform);
  const unused = [...contents.unused()];
  if (unused.length > 0) {
    const first = unused.slice(0, 3).join(', ');
    warnings.push(
      `${unused.length} blobs or layers are named by no image and were left out: ${first}${unused.length > 3 ? ', …' : ''}`,
    );
  }
  return { images, warnings };
}

function imagesOfLayout<Layer extends StoredLayer>(
  contents: ArchiveContents<Layer>,
  warnings: string[],
): readonly ArchiveImage<Layer>[] {
  const hasDocker = contents.has('manifest.json');
  const hasOci = contents.has('index.json');
  if (hasDocker && hasOci) return bothLayouts(contents, warnings);
  if (hasDocker) return some(dockerImages(contents), 'manifest.json');
  if (hasOci) return some(ociImages(contents, warnings).images, 'index.json');
  if (isLegacy(contents)) return legacyImages(contents);
  throw invalid(
    '',
    'an archive is of a known layout',
    'it has none of manifest.json (docker), index.json (OCI) and <64 hex>/json (docker before 1.10)',
  );
}

/**
 * Docker 25 and later, and ctr, write both: the index has the exact manifests, manifest.json has also the images
 * without a name. The first docker 25 wrote manifests that name none of the layers; there manifest.json is followed.
 */
function bothLayouts<Layer extends StoredLayer>(
  contents: ArchiveContents<Layer>,
  warnings: string[],
): readonly ArchiveImage<Layer>[] {
  const oci = ociImages(contents, warnings);
  const left = new Set<StackedImage<Layer>>(oci.images);
  const merged: ArchiveImage<Layer>[] = [];
  for (const image of dockerImages(contents)) {
    const [first, ...others] = oci.images.filter(
      (other) => other.configDocument.digest === image.configDocument.digest,
    );
    if (first) for (const twin of [first, ...others]) left.delete(twin);
    if (!first) merged.push(image);
    else merged.push({ ...first, names: uniqueNames([...first.names, ...image.names]) }, ...others);
  }
  const covered = new Set(merged.map((image) => (image.type === 'stacked' ? image.configDocument.digest : '')));
  for (const { config, error } of oci.broken) {
    if (config === null || !covered.has(config)) throw error;
    warnings.push(`manifest.json was followed instead of a manifest: ${error.message}`);
  }
  return some([...merged, ...left], 'manifest.json and index.json');
}

function uniqueNames<Layer extends StoredLayer>(names: ArchiveImage<Layer>['names']): ArchiveImage<Layer>['names'] {
  const isNamed = names.some((name) => name.text !== null);
  const key = (name: (typeof names)[number]) => `${name.repository ?? ''} ${name.ref}`;
  return [...new Map(names.filter((name) => !isNamed || name.text !== null).map((name) => [key(name), name])).values()];
}

function some<Image>(images: readonly Image[], where: string): readonly Image[] {
  if (images.length === 0) throw invalid(where, 'an archive holds an image', `${where} names no image`);
  return images;
}

function ofPlatform<Layer extends StoredLayer>(
  images: readonly ArchiveImage<Layer>[],
  wanted: Platform | null,
): readonly ArchiveImage<Layer>[] {
  if (wanted === null) return images;
  const chosen = images.filter((image) => isOf(platformOf(image), wanted));
  if (chosen.length > 0) return chosen;
  const found = images.map((image) => `${titleOf(image)} (${shown(platformOf(image))})`).join(', ');
  throw invalid('', 'the platform is there', `it has no image for ${formatPlatform(wanted)}, only ${found}`);
}

/** The platform an image says it is of. */
export function platformOf(image: ArchiveImage<StoredLayer>): Platform | null {
  return image.type === 'stacked' ? image.config.platform : (image.chain.at(-1)?.config.platform ?? null);
}

function isOf(platform: Platform | null, wanted: Platform): boolean {
  if (platform?.os !== wanted.os || platform.architecture !== wanted.architecture) return false;
  return wanted.variant === null || platform.variant === wanted.variant;
}

function shown(platform: Platform | null): string {
  return platform ? formatPlatform(platform) : 'of no platform';
}
