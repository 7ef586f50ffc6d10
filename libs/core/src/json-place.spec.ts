import { isVarveError } from './error.js';
import { JsonPlace } from './json-place.js';
import { limit } from './limit.js';

const nested = (levels: number): Buffer => Buffer.from(`${'['.repeat(levels)}${']'.repeat(levels)}`);

function codeOf(bytes: Buffer): string {
  try {
    JsonPlace.parse(bytes, 'manifest.json', 'ARCHIVE_INVALID');
    return 'read';
  } catch (error) {
    return isVarveError(error) ? error.code : String(error);
  }
}

it.each([
  ['as deep as documents may be', nested(limit.documentDepthMax), 'read'],
  ['one level deeper', nested(limit.documentDepthMax + 1), 'LIMIT_EXCEEDED'],
  ['so deep that no program can write it again', nested(1_000_000), 'LIMIT_EXCEEDED'],
  ['of brackets inside text', Buffer.from(JSON.stringify([`"${'['.repeat(5000)}\\"`])), 'read'],
  ['that never ends', Buffer.from('['.repeat(100)), 'ARCHIVE_INVALID'],
])('a document %s is told apart', (_title, bytes, code) => {
  expect(codeOf(bytes)).toBe(code);
});
