import type { Platform } from './commit.js';
import type { DiffId } from './digest.js';
import { parseInstant } from './instant.js';
import { JsonPlace } from './json-place.js';
import { limit } from './limit.js';
import { platformAt } from './manifest.js';

/** One step of how an image was made. `time` as a commit holds it; texts are '' where absent. */
export interface HistoryEntry {
  readonly time: string | null;
  readonly createdBy: string;
  readonly comment: string;
  readonly author: string;
  readonly isEmptyLayer: boolean;
}

/** What we read of an image's config. `diffIds` and `history` oldest first. @see OCI image-spec, config.md */
export interface ImageConfig {
  readonly platform: Platform | null;
  readonly time: string | null;
  readonly author: string;
  readonly diffIds: readonly DiffId[];
  readonly history: readonly HistoryEntry[];
}

/** Reads an OCI or docker image config. `name` is for messages. @throws MANIFEST_INVALID, LIMIT_EXCEEDED */
export function parseImageConfig(bytes: Uint8Array, name: string): ImageConfig {
  const root = JsonPlace.parse(bytes, name, 'MANIFEST_INVALID');
  const rootfs = root.get('rootfs');
  if (!rootfs.exists) throw rootfs.fault('an object with diff_ids');
  return {
    platform: platformAt(root),
    time: instantAt(root.get('created')),
    author: root.get('author').textOr(''),
    diffIds: rootfs
      .get('diff_ids')
      .items(limit.layersPerImageMax)
      .map((place) => place.digest() as DiffId),
    history: root
      .get('history')
      .items(2 * limit.layersPerImageMax)
      .map(historyAt),
  };
}

/** The time at a place: null where there is none. */
export function instantAt(place: JsonPlace): string | null {
  if (!place.exists) return null;
  const instant = parseInstant(place.text());
  if (instant === undefined) throw place.fault('an RFC 3339 time');
  return instant;
}

function historyAt(place: JsonPlace): HistoryEntry {
  return {
    time: instantAt(place.get('created')),
    createdBy: place.get('created_by').textOr(''),
    comment: place.get('comment').textOr(''),
    author: place.get('author').textOr(''),
    isEmptyLayer: place.get('empty_layer').flag(),
  };
}
