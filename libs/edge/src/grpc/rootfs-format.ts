import { RootfsFormat } from '#proto/gen/varve/v1/checkout';

/** The words for the enum of the messages. */
export const rootfsFormats = {
  [RootfsFormat.ROOTFS_FORMAT_UNSPECIFIED]: 'tar',
  [RootfsFormat.ROOTFS_FORMAT_TAR]: 'tar',
  [RootfsFormat.ROOTFS_FORMAT_TAR_GZ]: 'tar.gz',
  [RootfsFormat.ROOTFS_FORMAT_TAR_ZST]: 'tar.zst',
} as const;
