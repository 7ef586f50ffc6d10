import { parseInstant } from './instant.js';

describe('parseInstant', () => {
  it.each<[string, string | null, string]>([
    ['2015-06-16T17:03:52Z', '2015-06-16T17:03:52Z', 'as it is'],
    ['2015-06-16T17:03:52.120Z', '2015-06-16T17:03:52.120Z', 'decimals as given'],
    ['2015-06-16t17:03:52.1z', '2015-06-16T17:03:52.1Z', 'small letters'],
    ['2013-06-13T14:03:50.821769-07:00', '2013-06-13T21:03:50.821769Z', 'an offset goes to UTC'],
    ['2016-01-01T00:30:00+02:00', '2015-12-31T22:30:00Z', 'over the turn of a year'],
    ['2020-01-01T00:00:00.1234567891Z', '2020-01-01T00:00:00.123456789Z', 'nine decimals at most'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z', 'the epoch is a time'],
    ['0001-01-01T00:00:00Z', null, 'the zero time is none'],
    ['0001-01-01T02:00:00+02:00', null, 'the zero time with an offset'],
  ])('reads %s as %s (%s)', (text, expected) => {
    expect(parseInstant(text)).toBe(expected);
  });

  it.each([
    ['', 'nothing'],
    ['2015-06-16', 'a date alone'],
    ['2015-02-30T00:00:00Z', 'no such day'],
    ['2015-06-16T24:00:00Z', 'the next day, written as this one'],
    ['2015-06-16T17:03:52', 'no zone'],
    ['2015-06-16T17:03:52+25:00', 'no such offset'],
    ['0000-01-01T00:00:00+01:00', 'before the year 0'],
    ['9999-12-31T23:59:59-01:00', 'after the year 9999'],
  ])('does not read "%s" (%s)', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });
});
