import { bytesLine } from './progress.js';

it('shows bytes, rate and time left', () => {
  const line = bytesLine('load image.tar', {
    doneBytes: 45_000_000,
    totalBytes: 180_000_000,
    bytesPerSecond: 90_000_000,
  });
  expect(line).toBe('load image.tar  [======>                 ]  45 MB of 180 MB  90 MB/s  2 s left');
});

it('shows bytes and rate alone when nobody knows the end', () => {
  expect(bytesLine('load -', { doneBytes: 1_500, totalBytes: null, bytesPerSecond: 500 })).toBe(
    'load -  1.5 kB  500 B/s',
  );
});

it.each([
  [61, '1 min 1 s left'],
  [7_320, '2 h 2 min left'],
])('says %d seconds as people do', (seconds, expected) => {
  expect(bytesLine('x', { doneBytes: 0, totalBytes: seconds, bytesPerSecond: 1 })).toContain(expected);
});

it('is full at the end, and never more than full', () => {
  expect(bytesLine('x', { doneBytes: 30, totalBytes: 20, bytesPerSecond: 10 })).toContain(`[${'='.repeat(24)}]`);
  expect(bytesLine('x', { doneBytes: 0, totalBytes: 0, bytesPerSecond: 0 })).toContain(`[${'='.repeat(24)}]`);
});
