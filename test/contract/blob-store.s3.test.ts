import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { s3Place, s3Servers } from '../fixture/s3-bucket.js';
import { blobStoreContract } from './blob-store.contract.js';
import { describeEach } from './describe-each.js';

/** One adapter, on every server it is said to work with. */
describeEach(
  blobStoreContract,
  s3Servers.map(({ name, needs }) => ({
    name: `S3 on ${name}`,
    open: async (folder) => openS3BlobStore(await s3Place(needs, folder)),
    gaps: {
      'bounded memory':
        'it is bounded by its buffers, measured in a process of its own: test/cluster/s3-memory.test.ts',
    },
    needs,
  })),
);
