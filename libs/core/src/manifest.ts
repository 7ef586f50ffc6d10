import type { Descriptor, Platform } from './commit.js';
import { VarveError } from './error.js';
import { JsonPlace } from './json-place.js';
import { limit } from './limit.js';
import { isIndexType, isManifestType, mediaType } from './media-type.js';

/** The manifest of one image. `layers` lowest first. @see OCI image-spec, manifest.md; docker schema 2 */
export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** One line of an index: a manifest or another index. @see OCI image-spec, image-index.md; docker manifest list */
export interface IndexEntry {
  readonly descriptor: Descriptor;
  readonly platform: Platform | null;
  readonly annotations: ReadonlyMap<string, string>;
}

/** Reads an OCI or docker schema 2 manifest. `name` is for messages. @throws MANIFEST_INVALID, LIMIT_EXCEEDED */
export function parseManifest(bytes: Uint8Array, name: string): Manifest {
  const root = JsonPlace.parse(bytes, name, 'MANIFEST_INVALID');
  checkVersion(root);
  // A document that can be read as either is how two readers are made to see two images (CVE-2021-41190).
  if (root.get('manifests').exists) throw root.get('manifests').fault('none in a manifest');
  const type = root.get('mediaType').textOr(mediaType.manifest);
  if (!isManifestType(type)) throw root.get('mediaType').fault('the media type of a manifest');
  if (!root.get('layers').isArray()) throw root.get('layers').fault('an array');
  return {
    mediaType: type,
    config: descriptorAt(root.get('config')),
    layers: root.get('layers').items(limit.layersPerImageMax).map(descriptorAt),
  };
}

/** Reads an OCI index, an `index.json`, or a docker manifest list. `name` is for messages. @throws MANIFEST_INVALID, LIMIT_EXCEEDED */
export function parseIndex(bytes: Uint8Array, name: string): readonly IndexEntry[] {
  const root = JsonPlace.parse(bytes, name, 'MANIFEST_INVALID');
  checkVersion(root);
  if (root.get('layers').exists) throw root.get('layers').fault('none in an index');
  if (root.get('config').exists) throw root.get('config').fault('none in an index');
  const type = root.get('mediaType').textOr(mediaType.index);
  if (!isIndexType(type)) throw root.get('mediaType').fault('the media type of an index');
  return root
    .get('manifests')
    .items(limit.archiveImagesMax)
    .map((place) => ({
      descriptor: descriptorAt(place),
      platform: platformAt(place.get('platform')),
      annotations: new Map(
        place
          .get('annotations')
          .members()
          .map(([key, value]) => [key, value.text()] as const),
      ),
    }));
}

/** Architecture and os are both there, or there is no platform. */
export function platformAt(place: JsonPlace): Platform | null {
  const architecture = place.get('architecture').textOr('');
  const os = place.get('os').textOr('');
  if (architecture === '' || os === '') return null;
  return { architecture, os, variant: place.get('variant').textOr('') || null };
}

/** `linux/arm64/v8`, as people write it. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === null ? [] : [variant])].join('/');
}

/** Reads `linux/arm64/v8`. @throws REQUEST_INVALID */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant = null, ...more] = text.split('/');
  if (os !== '' && architecture !== '' && variant !== '' && more.length === 0) return { os, architecture, variant };
  throw new VarveError('REQUEST_INVALID', `"${text}" is not a platform: expected OS/ARCHITECTURE[/VARIANT]`, {
    platform: text,
  });
}

/** Whether a platform is the one that is asked for; without a variant, any is. */
export function matchesPlatform(platform: Platform, wanted: Platform): boolean {
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture) return false;
  return wanted.variant === null || platform.variant === wanted.variant;
}

function descriptorAt(place: JsonPlace): Descriptor {
  return {
    mediaType: place.get('mediaType').text(),
    digest: place.get('digest').digest(),
    size: place.get('size').size(),
  };
}

function checkVersion(root: JsonPlace): void {
  const version = root.get('schemaVersion');
  if (!version.exists || version.size() !== 2) throw version.fault('2');
}
