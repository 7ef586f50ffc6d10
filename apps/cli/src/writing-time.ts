import { VarveError } from '#core/error';

/**
 * Now, unless a reproducible build says otherwise. @throws REQUEST_INVALID
 * @see https://reproducible-builds.org/specs/source-date-epoch/
 */
export function writingTime(): string {
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  if (epoch === undefined || epoch === '') return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const time = new Date(Number(epoch) * 1000);
  if (!/^\d{1,12}$/.test(epoch) || Number.isNaN(time.getTime())) {
    throw new VarveError('REQUEST_INVALID', `SOURCE_DATE_EPOCH is "${epoch}"; expected seconds since 1970`);
  }
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}
