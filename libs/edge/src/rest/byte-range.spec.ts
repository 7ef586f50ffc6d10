import { readRange } from './byte-range.js';

describe('readRange', () => {
  it.each([
    [undefined, 'all'],
    ['bytes=0-0', { from: 0, to: 1 }],
    ['bytes=0-', { from: 0, to: 100 }],
    ['bytes=90-200', { from: 90, to: 100 }],
    ['bytes=-10', { from: 90, to: 100 }],
    ['bytes=-200', { from: 0, to: 100 }],
    ['bytes=99-', { from: 99, to: 100 }],
    ['bytes=100-', 'none'],
    ['bytes=-0', 'none'],
    ['bytes=5-4', 'all'],
    ['bytes=0-1,5-6', 'all'],
    ['bytes=a-b', 'all'],
    ['bytes=-', 'all'],
    ['lines=0-1', 'all'],
  ])('reads %s of 100 bytes', (header, range) => {
    expect(readRange(header, 100)).toEqual(range);
  });

  it('finds nothing in an empty blob', () => {
    expect(readRange('bytes=0-', 0)).toBe('none');
    expect(readRange(undefined, 0)).toBe('all');
  });
});
