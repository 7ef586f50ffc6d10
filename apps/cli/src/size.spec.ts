import { humanSize } from './size.js';

it.each([
  [0, '0 B', 'nothing'],
  [999, '999 B', 'below the first step'],
  [1000, '1 kB', 'powers of 1000, with a small k, as docker writes them'],
  [1_234_567, '1.235 MB', 'four significant digits'],
  [180_100_000, '180.1 MB', 'no more digits than that'],
  [999_999, '1000 kB', 'rounds after the unit is chosen, as Go prints %.4g'],
  [5e15, '5 PB', 'the last unit'],
  [5e18, '5000 PB', 'beyond the last unit'],
])('shows %d bytes as %s: %s', (sizeBytes, expected) => {
  expect(humanSize(sizeBytes)).toBe(expected);
});
