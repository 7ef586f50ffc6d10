import { VarveError } from '#core/error';
import { s3Error } from './s3-error.js';
import { retry } from './s3-retry.js';
import { ServerTrouble } from './s3-transport.js';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

/** Fails with each error in turn, then succeeds. */
function failing(...errors: unknown[]): { attempt: () => Promise<string>; tries: () => number } {
  let tries = 0;
  const attempt = async (): Promise<string> => {
    const error = errors[tries++];
    if (error !== undefined) throw error;
    return 'done';
  };
  return { attempt, tries: () => tries };
}

describe('retry', () => {
  it.each([
    ['a broken connection', refused],
    ['a server that wants less', new ServerTrouble(503, 'SlowDown')],
    ['a gateway without its server', new ServerTrouble(502, '')],
    ['a body that came too slowly', Object.assign(new Error('slow'), { code: 'RequestTimeout' })],
  ])('tries again after %s', async (_, error) => {
    const { attempt, tries } = failing(error, error);
    expect(await retry(60_000, attempt)).toBe('done');
    expect(tries()).toBe(3);
  });

  it.each([
    ['what the server refuses', Object.assign(new Error('denied'), { code: 'AccessDenied' })],
    ['a full store', new ServerTrouble(507, '')],
    ['a store that says it is full', new ServerTrouble(503, 'XMinioStorageFull')],
    ['an error of ours', new VarveError('CORRUPT', 'damaged')],
    ['a bug', new TypeError('undefined is not a function')],
  ])('does not try again after %s', async (_, error) => {
    const { attempt, tries } = failing(error);
    await expect(retry(60_000, attempt)).rejects.toBe(error);
    expect(tries()).toBe(1);
  });

  it('gives up with the last error when its time is over', async () => {
    const last = new ServerTrouble(500, 'InternalError');
    const { attempt } = failing(refused, refused, ...Array.from({ length: 100 }, () => last));
    await expect(retry(300, attempt)).rejects.toBe(last);
    await expect(retry(0, failing(refused).attempt)).rejects.toBe(refused);
  });
});

describe('an error of the store', () => {
  it.each([
    ['UNAVAILABLE', refused],
    ['UNAVAILABLE', Object.assign(new Error('Access Denied.'), { code: 'AccessDenied' })],
    ['STORAGE_FULL', new ServerTrouble(507, '')],
    ['STORAGE_FULL', new ServerTrouble(500, 'XMinioStorageFull')],
    ['STORAGE_FULL', Object.assign(new Error('over'), { code: 'QuotaExceeded' })],
  ])('is %s, names the object and keeps its cause', (code, cause) => {
    expect(s3Error('store', 'blobs/x', cause)).toMatchObject({
      code,
      message: expect.stringMatching('store blobs/x'),
      cause,
    });
  });

  it('passes unchanged when it is one of ours', () => {
    const ours = new VarveError('CORRUPT', 'damaged');
    expect(s3Error('read', 'x', ours)).toBe(ours);
  });
});
