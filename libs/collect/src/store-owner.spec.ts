import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { readBlob } from '#ports/read-blob';
import { checkOwner, ownerAddress } from './store-owner.js';

const [ours, others] = [{ id: 'lours' }, { id: 'lothers' }];

describe('the owner of a blob store', () => {
  it('is the first log that collects in it, whose id stands there, and it may again', async () => {
    const blobs = openMemoryBlobStore();
    await checkOwner({ log: ours, blobs }, {});
    await checkOwner({ log: ours, blobs }, {});
    expect((await readBlob(await blobs.open(ownerAddress('lours')))).toString()).toBe('lours');
  });

  it('refuses another log, which leaves no mark, also in a dry run', async () => {
    const blobs = openMemoryBlobStore();
    await checkOwner({ log: ours, blobs }, {});
    for (const dryRun of [false, true]) {
      await expect(checkOwner({ log: others, blobs }, { dryRun })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('--adopt'),
      });
    }
    await checkOwner({ log: ours, blobs }, {});
  });

  it('is another one when it is taken over, and then refuses the first', async () => {
    const blobs = openMemoryBlobStore();
    await checkOwner({ log: ours, blobs }, {});
    await checkOwner({ log: others, blobs }, { adopt: true, dryRun: true });
    await checkOwner({ log: ours, blobs }, {});
    await checkOwner({ log: others, blobs }, { adopt: true });
    await checkOwner({ log: others, blobs }, {});
    await expect(checkOwner({ log: ours, blobs }, {})).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('is nobody after a dry run', async () => {
    const blobs = openMemoryBlobStore();
    await checkOwner({ log: ours, blobs }, { dryRun: true });
    expect(await blobs.stat(ownerAddress('lours'))).toBeUndefined();
  });
});
