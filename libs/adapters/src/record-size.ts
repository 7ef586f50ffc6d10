import { VarveError } from '#core/error';
import { limit } from '#core/limit';

/** @throws LIMIT_EXCEEDED when a record is too large for any log, so that one adapter never takes what another refuses */
export function checkRecordSizes(records: readonly Uint8Array[]): void {
  const large = records.find((bytes) => bytes.length > limit.importRecordBytesMax);
  if (!large) return;
  throw new VarveError(
    'LIMIT_EXCEEDED',
    `a record of ${large.length} bytes is over the limit of ${limit.importRecordBytesMax}`,
    { sizeBytes: large.length, limitBytes: limit.importRecordBytesMax },
  );
}
