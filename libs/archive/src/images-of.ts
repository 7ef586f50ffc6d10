import type { Platform } from '#core/commit';
import { VarveError } from '#core/error';
import { formatPlatform, matchesPlatform } from '#core/manifest';
import type { ArchiveContents } from './archive-contents.js';
import {
  type ArchiveImage,
  type IndexedImage,
  type ReadArchive,
  type StackedImage,
  type StoredLayer,
  titleOf,
} from './archive-image.js';
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
  const merged = new Map<number, ArchiveImage<Layer>>(oci.images.entries());
  const covered = new Set<string>();
  const alone: ArchiveImage<Layer>[] = [];
  for (const image of dockerImages(contents)) {
    const { digest } = image.configDocument;
    covered.add(digest);
    const [twin] = [...merged].find(([, other]) => configsOf(other).includes(digest)) ?? [];
    const known = twin === undefined ? undefined : merged.get(twin);
    if (twin === undefined || !known) alone.push(image);
    else merged.set(twin, { ...known, names: uniqueNames([...known.names, ...image.names]) });
  }
  for (const { config, error } of oci.broken) {
    if (config === null || !covered.has(config)) throw error;
    warnings.push(`manifest.json was followed instead of a manifest: ${error.message}`);
  }
  return some([...alone, ...merged.values()], 'manifest.json and index.json');
}

function configsOf(image: ArchiveImage<StoredLayer>): readonly string[] {
  if (image.type === 'stacked') return [image.configDocument.digest];
  return image.type === 'indexed' ? image.members.map(({ image: { configDocument } }) => configDocument.digest) : [];
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
  const chosen = images.flatMap((image) => chosenOf(image, wanted));
  if (chosen.length > 0) return chosen;
  const found = images.map((image) => `${titleOf(image)} (${platformsText(image)})`).join(', ');
  throw invalid('', 'the platform is there', `it has no image for ${formatPlatform(wanted)}, only ${found}`);
}

/** The image for one platform: of an index that member under the index's names. */
function chosenOf<Layer extends StoredLayer>(image: ArchiveImage<Layer>, wanted: Platform): ArchiveImage<Layer>[] {
  if (image.type !== 'indexed') return platformsOf(image).some((one) => matchesPlatform(one, wanted)) ? [image] : [];
  const member = memberFor(image, wanted);
  return member ? [{ ...member, names: image.names }] : [];
}

function memberFor<Layer extends StoredLayer>(
  { members, manifest }: IndexedImage<Layer>,
  wanted: Platform,
): StackedImage<Layer> | undefined {
  const found = members.filter(({ platform }) => matchesPlatform(platform, wanted));
  const exact = found.find(({ platform }) => platform.variant === wanted.variant);
  if (exact || found.length < 2) return (exact ?? found[0])?.image;
  const platforms = found.map(({ platform }) => formatPlatform(platform));
  throw new VarveError(
    'REQUEST_INVALID',
    `${formatPlatform(wanted)} is ${platforms.join(' or ')} in index ${manifest.descriptor.digest}: say which`,
    { platform: formatPlatform(wanted), platforms },
  );
}

/** The platforms an image says it is for; none where it says nothing. */
function platformsOf(image: ArchiveImage<StoredLayer>): readonly Platform[] {
  if (image.type === 'indexed') return image.members.map(({ platform }) => platform);
  const platform = image.type === 'stacked' ? image.config.platform : image.chain.at(-1)?.config.platform;
  return platform ? [platform] : [];
}

/** `linux/amd64, linux/arm64`, or `no platform`. */
export function platformsText(image: ArchiveImage<StoredLayer>): string {
  return platformsOf(image).map(formatPlatform).join(', ') || 'no platform';
}
