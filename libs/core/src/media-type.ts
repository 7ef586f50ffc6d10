/** The media types of manifests, indexes, configs and layers that we read. @see OCI image-spec, media-types.md; docker schema 2 */
export const mediaType = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  /** The `json` of one layer in a docker 1.x archive. Ours: docker never gave it one. */
  legacyConfig: 'application/vnd.varve.docker-v1.json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

export type Compression = 'none' | 'gzip' | 'zstd';

const layerTypes: ReadonlyMap<string, Compression> = new Map([
  [mediaType.layer, 'none'],
  [mediaType.layerGzip, 'gzip'],
  [mediaType.layerZstd, 'zstd'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.diff.tar', 'none'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar', 'none'],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip'],
]);

/** What a layer's media type promises of its bytes; undefined for what is not a layer of files (or is encrypted). */
export function compressionOf(type: string): Compression | undefined {
  return layerTypes.get(type);
}

/** The media type of a layer that was found to be compressed so. */
export function layerMediaType(compression: Compression): string {
  return { none: mediaType.layer, gzip: mediaType.layerGzip, zstd: mediaType.layerZstd }[compression];
}

export function isManifestType(type: string): boolean {
  return type === mediaType.manifest || type === mediaType.dockerManifest;
}

export function isIndexType(type: string): boolean {
  return type === mediaType.index || type === mediaType.dockerIndex;
}

export function isConfigType(type: string): boolean {
  return type === mediaType.config || type === mediaType.dockerConfig;
}
