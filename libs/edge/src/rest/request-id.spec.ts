import { limit } from '#core/limit';
import { requestIdOf } from './request-id.js';

describe('the id of a request', () => {
  it('is the one that the client gives', () => {
    expect(requestIdOf({ headers: { 'varve-request-id': 'build-7/step-3' } })).toBe('build-7/step-3');
  });

  it.each([
    ['none is given', undefined],
    ['it is empty', ''],
    ['it has blanks', 'a b'],
    ['it is too long', 'x'.repeat(limit.requestIdBytesMax + 1)],
  ])('is a new one when %s', (_what, given) => {
    const headers = given === undefined ? {} : { 'varve-request-id': given };

    expect(requestIdOf({ headers })).toMatch(/^[0-9a-f-]{36}$/);
    expect(requestIdOf({ headers })).not.toBe(requestIdOf({ headers }));
  });
});
