import { requestDigest } from './request-digest.js';

describe('requestDigest', () => {
  it('is the same for the same parts in any order', () => {
    expect(requestDigest({ a: '1', b: '2' })).toBe(requestDigest({ b: '2', a: '1', c: undefined }));
  });

  it('is another when parts only run together alike', () => {
    expect(requestDigest({ a: '12', b: '3' })).not.toBe(requestDigest({ a: '1', b: '23' }));
    expect(requestDigest({ a: '' })).not.toBe(requestDigest({}));
  });
});
