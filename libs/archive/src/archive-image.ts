import type { Descriptor, Platform } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import { unreachable } from '#core/error';
import type { ImageConfig } from '#core/image-config';
import type { RefName, RepositoryName } from '#core/name';

/** What reading an archive needs to know of a layer that was received: its digest as stored, and as a plain tar. */
export interface StoredLayer {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly diffId: DiffId;
}

/** A small file of the archive, in memory: the exact bytes. */
export interface ArchiveDocument {
  readonly path: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** What an image is called in an archive. `repository` is null where the archive names only a tag, or nothing. */
export interface ImageName {
  /** As the archive writes it; null for an image without a name. */
  readonly text: string | null;
  readonly repository: RepositoryName | null;
  readonly ref: RefName;
}

/** An image with a config that lists its layers: docker 1.10 and later, OCI. Layers lowest first. */
export interface StackedImage<Layer extends StoredLayer> {
  readonly type: 'stacked';
  readonly names: readonly ImageName[];
  readonly config: ImageConfig;
  readonly configDocument: ArchiveDocument;
  readonly configMediaType: string;
  /** The exact manifest, where the archive has one. */
  readonly manifest: { readonly descriptor: Descriptor; readonly document: ArchiveDocument } | null;
  readonly layers: readonly Layer[];
}

/** One image for several platforms: what an OCI index groups. Members by the text of their platform, each once. */
export interface IndexedImage<Layer extends StoredLayer> {
  readonly type: 'indexed';
  readonly names: readonly ImageName[];
  /** The exact index. */
  readonly manifest: { readonly descriptor: Descriptor; readonly document: ArchiveDocument };
  readonly members: readonly { readonly platform: Platform; readonly image: StackedImage<Layer> }[];
}

/** An image of docker 1.x: a chain of layers, each with a `json` of its own. Lowest first. */
export interface ChainedImage<Layer extends StoredLayer> {
  readonly type: 'chained';
  readonly names: readonly ImageName[];
  readonly chain: readonly V1Image<Layer>[];
}

/** One `<id>/` folder of a docker 1.x archive. */
export interface V1Image<Layer extends StoredLayer> {
  readonly config: V1Config;
  readonly document: ArchiveDocument;
  readonly layer: Layer;
}

/** What we read of a `<id>/json`. Texts are '' where absent. */
export interface V1Config {
  readonly id: string;
  readonly parent: string | null;
  readonly platform: ImageConfig['platform'];
  readonly time: string | null;
  readonly author: string;
  readonly createdBy: string;
  readonly comment: string;
}

export type ArchiveImage<Layer extends StoredLayer> = StackedImage<Layer> | ChainedImage<Layer> | IndexedImage<Layer>;

/** The images of an archive. `warnings` tell what was in it and passed over. */
export interface ReadArchive<Layer extends StoredLayer> {
  readonly images: readonly ArchiveImage<Layer>[];
  readonly warnings: readonly string[];
}

/** How messages call an image: by its first name, else by its config or top layer. */
export function titleOf(image: ArchiveImage<StoredLayer>): string {
  const name = image.names.find(({ text }) => text !== null)?.text;
  if (typeof name === 'string') return name;
  switch (image.type) {
    case 'stacked':
      return image.configDocument.digest;
    case 'indexed':
      return image.manifest.descriptor.digest;
    case 'chained':
      return `v1:${image.chain.at(-1)?.config.id ?? ''}`;
    default:
      return unreachable(image);
  }
}
