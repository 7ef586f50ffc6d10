import { basename } from 'node:path';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openRedisAuditStore } from '#adapters/redis/redis-audit-store';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { AuditStore } from '#ports/audit-store';
import type { BlobStore } from '#ports/blob-store';
import { redisAddress } from '../fixture/redis-server.js';
import { s3Place } from '../fixture/s3-bucket.js';
import { auditStoreContract } from './audit-store.contract.js';
import { type Adapter, describeEach } from './describe-each.js';

const inMemory = new Map<string, BlobStore>();

/** The same cases on a real server, each with keys of its own; what is full in memory, and on each server for objects. */
const adapters: readonly Adapter<AuditStore>[] = [
  {
    name: 'Redis, blobs in memory',
    needs: 'VARVE_TEST_REDIS',
    open: (folder) => {
      const blobs = inMemory.get(folder) ?? openMemoryBlobStore();
      inMemory.set(folder, blobs);
      return openOn(blobs, folder);
    },
  },
  { name: 'Redis and S3 on MinIO', needs: 'VARVE_TEST_S3', open: (folder) => openWithS3('VARVE_TEST_S3', folder) },
  {
    name: 'Redis and S3 on versitygw',
    needs: 'VARVE_TEST_S3_VERSITY',
    open: (folder) => openWithS3('VARVE_TEST_S3_VERSITY', folder),
  },
];

function openOn(blobs: BlobStore, folder: string): Promise<AuditStore> {
  const scope = basename(folder);
  return openRedisAuditStore({ ...redisAddress(), prefix: `${scope}:`, blobs, scope });
}

async function openWithS3(server: 'VARVE_TEST_S3' | 'VARVE_TEST_S3_VERSITY', folder: string): Promise<AuditStore> {
  const blobs = await openS3BlobStore(await s3Place(server, folder));
  const store = await openOn(blobs, folder);
  const close = store.close.bind(store);
  // The blob store is opened by others in a process, and closed by them.
  store.close = async () => {
    await close();
    await blobs.close();
  };
  return store;
}

describeEach(auditStoreContract, adapters);
