import { hash } from 'node:crypto';
import type { Json } from './canonical-json.js';
import {
  chainIdOn,
  type Commit,
  commitIdOf,
  decodeCommit,
  encodeCommit,
  genesis,
  isCommitId,
  newCommit,
  parseCommitId,
} from './commit.js';
import { chainIdOf, digestOf, type DiffId, emptyChainId } from './digest.js';
import { limit } from './limit.js';

const layer = digestOf('layer') as DiffId;
const invalid = expect.objectContaining({ code: 'COMMIT_INVALID' });
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a commit', () => {
  it('has the sha256 of its canonical bytes as its id', () => {
    const { id, bytes } = encodeCommit(newCommit({ message: 'hello', layers: [layer] }));
    expect(Buffer.from(bytes).toString()).toBe(
      `{"author":"","base":"empty","committer":"","config":null,"index":null,"labels":{},"layers":["${layer}"],` +
        '"manifest":null,"message":"hello","origin":null,"parents":[],"platform":null,"time":null,"union":1,"v":1}',
    );
    expect(id).toBe(hash('sha256', bytes, 'hex'));
    expect(commitIdOf(bytes)).toBe(id);
    expect(isCommitId(id)).toBe(true);
    expect(parseCommitId(id)).toBe(id);
  });

  it('reads back from its bytes', () => {
    const commit = newCommit({
      parents: [genesis.id],
      layers: [layer],
      config: digestOf('config'),
      manifest: { mediaType: 'm', digest: digestOf('manifest'), size: 7 },
      index: [{ platform: { architecture: 'arm64', os: 'linux', variant: 'v8' }, commit: genesis.id }],
      platform: { architecture: 'amd64', os: 'linux', variant: null },
      author: 'Ä. Uthor <a@b>',
      time: '2015-06-11T20:00:01.123456789Z',
      labels: { a: 'b' },
      origin: { v1Id: 'f'.repeat(64) },
    });
    const encoded = encodeCommit(commit);
    expect(decodeCommit(encoded.bytes)).toEqual(encoded);
  });

  it('has a genesis that never changes', () => {
    expect(genesis.id).toBe('75879cc3da485a9419be0358b4a1c16faf70cec4be387f89dc3a58077058bd43');
  });

  it('has the chainID of its own layers on those of its first parent', () => {
    const below = chainIdOf([layer]);
    const other = digestOf('other') as DiffId;
    expect(chainIdOn(below, newCommit({ parents: [genesis.id], layers: [other] }))).toBe(chainIdOf([layer, other]));
    expect(chainIdOn(below, newCommit({ parents: [genesis.id], base: 'empty', layers: [other] }))).toBe(other);
    expect(chainIdOn(below, newCommit({ parents: [genesis.id] }))).toBe(below);
    expect(chainIdOn(emptyChainId, newCommit({}))).toBe(emptyChainId);
  });

  const valid = newCommit({ parents: [genesis.id] });
  it.each<[string, Record<string, Json>]>([
    ['another version', { v: 2 }],
    ['other union rules', { union: 2 }],
    ['a parent that is no id', { parents: ['abc'] }],
    ['a parent twice', { parents: [genesis.id, genesis.id] }],
    ['a base that is neither', { base: 'other' }],
    ['a base on no parent', { parents: [], base: 'parent' }],
    ['a layer that is no digest', { layers: ['abc'] }],
    ['a config that is no digest', { config: 'abc' }],
    ['a manifest without a size', { manifest: { mediaType: 'm', digest: layer } }],
    ['a manifest of negative size', { manifest: { mediaType: 'm', digest: layer, size: -1 } }],
    ['a platform without its variant', { platform: { architecture: 'a', os: 'b' } }],
    ['an index entry with more than it needs', { index: [{ platform: null, commit: genesis.id, more: 1 }] }],
    ['a message that is no text', { message: 1 }],
    ['a time with an offset', { time: '2020-01-01T00:00:00+01:00' }],
    ['a time that is no date', { time: '2020-13-01T00:00:00Z' }],
    ['labels that are a list', { labels: ['a'] }],
    ['a label that is no text', { labels: { a: 1 } }],
    ['an origin of another kind', { origin: { somewhere: 'else' } }],
    ['one key too many', { more: null }],
  ])('is refused with %s', (_title, fields) => {
    const value = { ...valid, ...fields } as unknown as Commit;
    expect(() => encodeCommit(value)).toThrow(invalid);
    expect(() => decodeCommit(bytesOf(value))).toThrow(invalid);
  });

  it('is refused with a key missing', () => {
    const { origin: _origin, ...rest } = valid;
    expect(() => decodeCommit(bytesOf(rest))).toThrow(invalid);
  });

  it.each([
    ['no JSON', Buffer.from('{')],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['a byte order mark', Buffer.concat([Buffer.from('\ufeff'), encodeCommit(valid).bytes])],
    ['white space', Buffer.concat([encodeCommit(valid).bytes, Buffer.from('\n')])],
    ['keys in another order', bytesOf(valid)],
    ['null', Buffer.from('null')],
    ['a list nested two hundred thousand deep', Buffer.from('['.repeat(200_000) + ']'.repeat(200_000))],
  ])('is refused when its bytes are or have %s', (_title, bytes) => {
    expect(() => decodeCommit(bytes)).toThrow(invalid);
  });

  it('is refused deep in an index without running out of stack', () => {
    const canonical = Buffer.from(encodeCommit(newCommit({ index: [] })).bytes).toString();
    const deep = `"index":[{"commit":"${genesis.id}","more":${'['.repeat(100_000)}${']'.repeat(100_000)},"platform":null}]`;
    expect(() => decodeCommit(Buffer.from(canonical.replace('"index":[]', deep)))).toThrow(invalid);
  });

  it('is refused over 64 KiB', () => {
    const message = 'x'.repeat(limit.commitBytesMax);
    expect(() => encodeCommit(newCommit({ message }))).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
  });

  it.each(['', 'A'.repeat(64), 'a'.repeat(63), `sha256:${'a'.repeat(64)}`])('has no id that is %j', (text) => {
    expect(isCommitId(text)).toBe(false);
    expect(() => parseCommitId(text)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  });
});
