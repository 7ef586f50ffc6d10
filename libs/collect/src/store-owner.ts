import { digestOf } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';

const version = 1;

/** The mark of an event log in the blob store that its records name copies of: its id. */
export function ownerAddress(logId: string): DerivedAddress {
  return { kind: 'log', version, key: digestOf(Buffer.from(logId)) };
}

/**
 * Marks the store as this log's, unless it is another's: to a log that does not hold their records, all copies of another
 * are garbage. `adopt` takes the store over, for good: the other log, moved into this one, is not written to any more.
 * A dry run leaves no mark. @throws CONFIG_INVALID when the store has the mark of another log
 */
export async function checkOwner(
  { log, blobs }: { readonly log: Pick<EventLog, 'id'>; readonly blobs: BlobStore },
  { adopt = false, dryRun = false }: { readonly adopt?: boolean; readonly dryRun?: boolean },
): Promise<void> {
  const own = ownerAddress(log.id);
  let isMarked = false;
  for await (const { address } of blobs.derived('log')) {
    if (address.key === own.key) isMarked = true;
    else if (adopt && !dryRun) await blobs.delete(address);
    else if (!adopt) throw otherLog(log.id);
  }
  if (!isMarked && !dryRun) await mark(blobs, own, log.id);
}

async function mark(blobs: BlobStore, address: DerivedAddress, logId: string): Promise<void> {
  const bytes = Buffer.from(logId);
  const staged = await blobs.stageDerived({ address, sizeBytesMax: bytes.length });
  try {
    await staged.write(bytes);
    await staged.seal(address);
  } finally {
    await staged.discard();
  }
}

function otherLog(logId: string): VarveError {
  const message = `the blob store is also that of another event log, whose blobs log ${logId} does not know: nothing is collected. If that log was moved into this one and is written to no more, take its store over with --adopt`;
  return new VarveError('CONFIG_INVALID', message, { log: logId });
}
