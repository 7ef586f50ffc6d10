import { isVarveError } from './error.js';
import { parseRevision, type Revision } from './revision.js';

const main = { type: 'name', name: 'main' } as const;
const day = 86_400_000;

const readings: readonly (readonly [string, Revision])[] = [
  ['main', main],
  ['feature/x-1', { type: 'name', name: 'feature/x-1' }],
  ['8dbd9e39', { type: 'name', name: '8dbd9e39' }],
  ['a.b', { type: 'name', name: 'a.b' }],
  ['HEAD', { type: 'head' }],
  ['@', { type: 'head' }],
  ['heads/main', { type: 'ref', ref: 'refs/heads/main' as never }],
  ['refs/tags/v3', { type: 'ref', ref: 'refs/tags/v3' as never }],
  ['tags/v3', { type: 'ref', ref: 'refs/tags/v3' as never }],
  ['v1:511136ea3c5a', { type: 'v1', hex: '511136ea3c5a' }],
  ['sha256:cafe', { type: 'digest', hex: 'cafe' }],
  ['main~3', { type: 'ancestor', of: main, generations: 3 }],
  ['main~', { type: 'ancestor', of: main, generations: 1 }],
  ['main^', { type: 'parent', of: main, parent: 1 }],
  ['main^2~4', { type: 'ancestor', of: { type: 'parent', of: main, parent: 2 }, generations: 4 }],
  ['v1:cafe^', { type: 'parent', of: { type: 'v1', hex: 'cafe' }, parent: 1 }],
  ['main@{2}', { type: 'reflog', of: main, moves: 2 }],
  ['@{1}', { type: 'reflog', of: { type: 'head' }, moves: 1 }],
  ['main@{1}^2', { type: 'parent', of: { type: 'reflog', of: main, moves: 1 }, parent: 2 }],
  ['main@{2026-11-01T00:00:00Z}', { type: 'at-time', of: main, time: { type: 'instant', ms: Date.UTC(2026, 10, 1) } }],
  ['main@{3.days.ago}', { type: 'at-time', of: main, time: { type: 'ago', ms: 3 * day } }],
  ['main@{yesterday}', { type: 'at-time', of: main, time: { type: 'ago', ms: day } }],
  [
    'main@{position:k3x.0.12345}',
    { type: 'at-position', of: main, position: { log: 'k3x', partition: 0, offset: 12345 } },
  ],
  ['main..dev', { type: 'range', from: main, to: { type: 'name', name: 'dev' } }],
  ['main...dev', { type: 'symmetric-range', from: main, to: { type: 'name', name: 'dev' } }],
  ['..main', { type: 'range', from: { type: 'head' }, to: main }],
  ['main..', { type: 'range', from: main, to: { type: 'head' } }],
  ['v1:cafe..main', { type: 'range', from: { type: 'v1', hex: 'cafe' }, to: main }],
  ['main~2..main', { type: 'range', from: { type: 'ancestor', of: main, generations: 2 }, to: main }],
  [':/fix the clock: now', { type: 'message', text: 'fix the clock: now' }],
  ['main:etc/passwd', { type: 'path', of: main, path: 'etc/passwd' }],
  ['main:etc/..x', { type: 'path', of: main, path: 'etc/..x' }],
  ['main^:', { type: 'path', of: { type: 'parent', of: main, parent: 1 }, path: '' }],
  ['v1:etc/passwd', { type: 'path', of: { type: 'name', name: 'v1' }, path: 'etc/passwd' }],
  ['v1:cafe/x', { type: 'path', of: { type: 'name', name: 'v1' }, path: 'cafe/x' }],
  ['tags/v1:cafe', { type: 'path', of: { type: 'ref', ref: 'refs/tags/v1' as never }, path: 'cafe' }],
];

const refusals: readonly (readonly [string, RegExp, number])[] = [
  ['', /it is empty/, 1],
  ['~2', /"~" needs a revision before it/, 1],
  ['..', /needs a revision on one side/, 3],
  ['a..b..c', /a range has two sides/, 5],
  ['a..b:c', /between commits, not paths/, 5],
  ['a b', /"a b" is neither a ref name nor an id/, 1],
  ['main^{tree}', /every revision is a commit/, 6],
  ['main@{2', /has no "}"/, 7],
  ['main@{soon}', /neither a number of moves, a time nor a position/, 7],
  ['main@{position:7}', /needs <log>\.<partition>\.<offset>/, 7],
  ['main~1@{2}', /follows a ref directly/, 7],
  ['main~9999999999', /too large/, 6],
  ['sha256:abc', /needs 4 to 64 lower-case hex digits, not 3/, 11],
  ['refs/remotes/x', /neither a ref name nor an id/, 1],
  [':/', /needs text/, 3],
  ['main@{1}x', /"x" cannot follow/, 9],
];

describe('a revision', () => {
  it.each(readings)('reads %s', (text, revision) => {
    expect(parseRevision(text)).toEqual(revision);
  });

  it.each(refusals)('refuses %j and says what is wrong where', (text, message, character) => {
    const error = refusalOf(text);
    expect(isVarveError(error, 'NAME_INVALID') && error.message).toMatch(message);
    expect(isVarveError(error) && error.detail['character']).toBe(character);
  });
});

function refusalOf(text: string): unknown {
  try {
    return parseRevision(text);
  } catch (error) {
    return error;
  }
}
