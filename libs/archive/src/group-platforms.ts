import type { Descriptor, Platform } from '#core/commit';
import { formatPlatform } from '#core/manifest';
import type { ArchiveDocument, IndexedImage, StackedImage, StoredLayer } from './archive-image.js';

/** An image that stands in an index: `platform` as the index says it, else as the image's config does. */
export interface IndexMember<Layer extends StoredLayer> {
  readonly image: StackedImage<Layer>;
  readonly platform: Platform | null;
  readonly index: { readonly descriptor: Descriptor; readonly document: ArchiveDocument };
}

/**
 * Puts together what is one image for several platforms: the images of one index under one name. An index of one image
 * (beside attestations, or beside platforms that are not in the archive) groups nothing, nor does one whose images
 * are not told apart by their platforms.
 */
export function groupPlatforms<Layer extends StoredLayer>(
  members: readonly IndexMember<Layer>[],
): readonly (StackedImage<Layer> | IndexedImage<Layer>)[] {
  const groups = Map.groupBy(members, ({ image, index }) => `${index.descriptor.digest} ${namesKey(image)}`);
  return [...groups.values()].flatMap((group): readonly (StackedImage<Layer> | IndexedImage<Layer>)[] => {
    const together = groupOf(group);
    return together ? [together] : group.map(({ image }) => image);
  });
}

function groupOf<Layer extends StoredLayer>(group: readonly IndexMember<Layer>[]): IndexedImage<Layer> | undefined {
  const byPlatform = new Map<string, IndexedImage<Layer>['members'][number]>();
  for (const { image, platform } of group) {
    if (platform) byPlatform.set(formatPlatform(platform), { platform, image });
  }
  const [first] = group;
  if (!first || group.length < 2 || byPlatform.size < group.length) return undefined;
  const members = [...byPlatform].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, member]) => member);
  return { type: 'indexed', names: first.image.names, manifest: first.index, members };
}

function namesKey({ names }: StackedImage<StoredLayer>): string {
  return names.map(({ text }) => text ?? '').join(' ');
}
