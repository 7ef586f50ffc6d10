import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { blobStoreContract } from './blob-store.contract.js';
import { describeEach } from './describe-each.js';

/** This list is the list of adapters. */
describeEach(blobStoreContract, [
  {
    name: 'memory',
    open: () => openMemoryBlobStore(),
    gaps: { reopen: 'memory is forgotten on purpose', 'bounded memory': 'memory holds the bytes, by its nature' },
  },
  { name: 'filesystem', open: (folder) => openFilesystemBlobStore(folder) },
]);
