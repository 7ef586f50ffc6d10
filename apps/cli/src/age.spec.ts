import { humanAge } from './age.js';

const now = Date.parse('2026-11-23T12:00:00Z');

it.each([
  ['2026-11-23T12:00:00Z', 'now'],
  ['2026-11-23T11:59:30Z', '30 seconds ago'],
  ['2026-11-23T11:58:30Z', '90 seconds ago'],
  ['2026-11-23T09:00:00Z', '3 hours ago'],
  ['2026-11-01T12:00:00Z', '3 weeks ago'],
  ['2015-06-16T00:00:00Z', '11 years ago'],
  ['2027-01-01T00:00:00Z', 'in the future'],
  ['not a time', 'not a time'],
])('says how long ago %s was: %s', (time, expected) => {
  expect(humanAge(time, now)).toBe(expected);
});

it('says of a commit without time that it has none', () => {
  expect(humanAge(null, now)).toBe('no time');
});
