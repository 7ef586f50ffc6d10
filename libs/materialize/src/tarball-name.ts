import { type ChainId, hexOf } from '#core/digest';
import type { RootfsFormat } from '#core/job';
import { unionVersion, writerVersion } from '#union/rootfs-plan';
import { codingSuffix, type TarCompression } from './compress-tar.js';

/** How a format is made of the plain tar; null: it is the plain tar. */
export const compressionOf: Readonly<Record<RootfsFormat, TarCompression | null>> = {
  tar: null,
  'tar.gz': 'gzip',
  'tar.zst': 'zstd',
};

/** Names the canonical tar of a stack before a byte is read: equal stacks written by equal code are equal bytes. */
export function tarName(chainId: ChainId): string {
  return `u${unionVersion}w${writerVersion}-${hexOf(chainId)}`;
}

/** The same for a tarball of any format; in quotes it is the strong ETag of its bytes. */
export function tarballName(chainId: ChainId, format: RootfsFormat): string {
  const compression = compressionOf[format];
  return `${tarName(chainId)}${compression === null ? '' : codingSuffix[compression]}`;
}

/** The format that a name ends in. */
export function formatOfName(name: string): RootfsFormat {
  if (name.includes('.gz-')) return 'tar.gz';
  return name.includes('.zst-') ? 'tar.zst' : 'tar';
}

/** Whether a text can be the name of a tarball, of this version or another. */
export function isTarballName(text: string): boolean {
  return /^u\d{1,9}w\d{1,9}-[0-9a-f]{64}(\.(gz|zst)-[\w.-]{1,64})?$/.test(text);
}
