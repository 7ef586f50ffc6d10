import { digestOf } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import { collect } from '../../../test/fixture/bytes-random.js';
import { layer } from '../../../test/fixture/layer-builder.js';
import { type MemoryFiles, openMemoryFiles } from '../../../test/fixture/memory-files.js';
import { tarBytes } from '../../../test/fixture/tar-bytes.js';
import { type FileContent, readFile } from './cat.js';
import { diff, type DiffQuestion } from './diff.js';
import { find, type FindQuestion } from './find.js';
import { lintsOf } from './lints.js';
import { listTree } from './ls.js';
import { parsePath } from './path-argument.js';
import { usage } from './usage.js';

/** Large enough for their indexes to be kept. */
const tool = 'x'.repeat(70_000);
const base = layer({
  bin: { link: 'usr/bin' },
  'etc/': null,
  'etc/motd': 'hello\n',
  'etc/old': 'old\n',
  'etc/passwd': 'root\n',
  'usr/': null,
  'usr/bin/': null,
  'usr/bin/tool': tool,
});
const top = layerOf([
  { name: 'etc/', type: 'directory' },
  { name: 'etc/motd', body: 'hello app\n' },
  { name: 'etc/.wh.old', body: '' },
  { name: 'etc/passwd', body: 'root\n', mode: 0o600, uid: 7 },
  { name: 'usr/', type: 'directory' },
  { name: 'usr/bin/', type: 'directory' },
  { name: 'usr/bin/tool', body: tool },
  { name: 'usr/bin/su', body: 'su', mode: 0o4755 },
  { name: 'bin/', type: 'directory' },
]);

function layerOf(items: Parameters<typeof tarBytes>[0]) {
  return { tar: tarBytes(items), diffId: digestOf(tarBytes(items)) };
}

let files: MemoryFiles;
beforeAll(async () => {
  files = await openMemoryFiles();
  await files.commit(base.tar, { message: 'base' });
  await files.commit(top.tar, { message: 'top' });
});
afterAll(() => files.close());
beforeEach(() => files.opened.splice(0));

const question: DiffQuestion = {
  from: 'main~1',
  to: 'main',
  fromMergeBase: false,
  paths: [],
  shadows: false,
  times: false,
};

async function changes(asked: Partial<DiffQuestion> = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const change of (await diff(files, files.repo, { ...question, ...asked })).changes()) {
    found.push(`${change.class} ${(change.after ?? change.before)!.path.toString()} ${change.changed.join()}`.trim());
  }
  return found;
}

async function names(asked: { revision?: string; path?: string; recursive?: boolean; limit?: number } = {}) {
  const { revision = 'main', path = '', recursive = false, limit = 100 } = asked;
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listTree(files, files.repo, { revision, path: parsePath(path), recursive, limit, cursor });
    found.push(...page.entries.map((entry) => entry.path.toString()));
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

function contentAt(revision: string, path: string): Promise<FileContent> {
  return readFile(files, files.repo, { revision, path: parsePath(path) });
}

async function textAt(revision: string, path: string, from = 0, to?: number): Promise<string> {
  const content = await contentAt(revision, path);
  return Buffer.concat(await collect(content.read(from, to ?? content.sizeBytes))).toString();
}

describe('ls', () => {
  it('lists a directory, and one file by itself', async () => {
    expect(await names()).toEqual(['bin', 'etc', 'usr']);
    expect(await names({ path: '/etc/' })).toEqual(['etc/motd', 'etc/passwd']);
    expect(await names({ path: 'etc', revision: 'main~1' })).toEqual(['etc/motd', 'etc/old', 'etc/passwd']);
    expect(await names({ path: './etc/motd' })).toEqual(['etc/motd']);
  });

  const everything = ['bin', 'etc', 'etc/motd', 'etc/passwd', 'usr', 'usr/bin', 'usr/bin/su', 'usr/bin/tool'];

  it.each([1, 2, 3, 7, 8, 100])('lists everything below in pages of %d', async (limit) => {
    expect(await names({ recursive: true, limit })).toEqual(everything);
    expect(await names({ recursive: true, limit, path: 'usr' })).toEqual(['usr/bin', 'usr/bin/su', 'usr/bin/tool']);
  });

  it('tells the sha256, the layer and the attributes of an entry', async () => {
    const [motd, passwd] = (
      await listTree(files, files.repo, { revision: 'main', path: parsePath('etc'), recursive: false, limit: 9 })
    ).entries;
    expect(motd).toMatchObject({ sha256: digestOf('hello app\n'), layer: top.diffId, mode: 0o644, sizeBytes: 10 });
    expect(passwd).toMatchObject({ sha256: digestOf('root\n'), uid: 7, mode: 0o600, type: 'file' });
  });

  it.each([
    ['etc/pass', 'PATH_UNKNOWN', /etc has no "pass"/, ['etc/passwd']],
    ['nope/deeper', 'PATH_UNKNOWN', /\/ has no "nope"/, []],
    ['etc/motd/x', 'PATH_UNKNOWN', /etc\/motd is no directory/, []],
    ['bin/tool', 'PATH_UNKNOWN', /bin is a symlink to "usr\/bin"; none is followed/, ['usr/bin/tool']],
  ])('says of %s what of it is not there', async (path, code, message, suggestions) => {
    const error = await names({ path, revision: 'main~1' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, detail: { suggestions } });
    expect((error as Error).message).toMatch(message);
  });

  it.each(['../etc', 'etc/..', 'a\0b', 'x'.repeat(5_000)])('refuses the path %j', (path) => {
    expect(() => parsePath(path)).toThrow(VarveError);
  });

  it.each(['x', '', `${'0'.repeat(64)}.1`])('refuses the cursor "%s"', async (cursor) => {
    const asked = { revision: 'main', path: parsePath(''), recursive: true, limit: 5, cursor };
    await expect(listTree(files, files.repo, asked)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });
});

describe('cat', () => {
  it('gives a file, any part of it, and the target of a symlink', async () => {
    expect(await textAt('main', 'etc/motd')).toBe('hello app\n');
    expect(await textAt('main~1', 'etc/motd')).toBe('hello\n');
    expect(await textAt('main', 'etc/motd', 6, 9)).toBe('app');
    expect(await textAt('main~1', 'bin')).toBe('usr/bin');
    expect((await contentAt('main', 'etc/motd')).tag).toBe(digestOf('hello app\n'));
  });

  it('refuses a directory', async () => {
    await expect(contentAt('main', 'etc')).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      detail: { type: 'directory' },
    });
  });

  it('finds out that a layer is not what was indexed before the last byte is out', async () => {
    const lying = { ...files, layers: { index: files.layers.index.bind(files.layers), open: openLying } };
    const content = await readFile(lying, files.repo, { revision: 'main', path: parsePath('usr/bin/tool') });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const chunk of content.read(0, content.sizeBytes)) seen.push(chunk.length);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(seen.reduce((sum, length) => sum + length, 0)).toBeLessThan(content.sizeBytes);
  });

  async function openLying(...args: Parameters<MemoryFiles['layers']['open']>) {
    const reader = await files.layers.open(...args);
    return {
      size: reader.size,
      close: () => reader.close(),
      async read(target: Uint8Array, position: number) {
        const count = await reader.read(target, position);
        target[count - 1]! ^= 1;
        return count;
      },
    };
  }
});

describe('diff', () => {
  it('tells what is added, changed in content or metadata alone, deleted, and of another type', async () => {
    expect(await changes()).toEqual([
      'T bin',
      'M etc/motd content',
      'D etc/old',
      'm etc/passwd mode,owner',
      'A usr/bin/su',
    ]);
  });

  it('tells what a layer has again unchanged when it is asked to', async () => {
    expect((await changes({ shadows: true })).filter((line) => line.startsWith('S'))).toEqual([
      'S etc',
      'S usr',
      'S usr/bin',
      'S usr/bin/tool',
    ]);
  });

  it('turns round', async () => {
    expect(await changes({ from: 'main', to: 'main~1' })).toEqual([
      'T bin',
      'M etc/motd content',
      'A etc/old',
      'm etc/passwd mode,owner',
      'D usr/bin/su',
    ]);
  });

  it('compares with the first parent, and a root with nothing, when no other side is named', async () => {
    expect(await changes({ from: null })).toHaveLength(5);
    expect(await changes({ from: null, to: 'main~2' })).toEqual([]);
    expect(await changes({ from: 'main~2', to: 'main~1', paths: [parsePath('usr')] })).toEqual([
      'A usr',
      'A usr/bin',
      'A usr/bin/tool',
    ]);
  });

  it('looks at paths alone, each once', async () => {
    const paths = ['etc', 'etc/motd', 'usr/bin/su', 'etc'].map(parsePath);
    expect(await changes({ paths })).toEqual([
      'M etc/motd content',
      'D etc/old',
      'm etc/passwd mode,owner',
      'A usr/bin/su',
    ]);
    expect(await changes({ paths: [parsePath('etc/old')] })).toEqual(['D etc/old']);
    await expect(changes({ paths: [parsePath('nope')] })).rejects.toMatchObject({ code: 'PATH_UNKNOWN' });
  });

  it('tells the layers that are other', async () => {
    expect(await diff(files, files.repo, question)).toMatchObject({
      layersShared: 1,
      layersRemoved: [],
      layersAdded: [top.diffId],
    });
  });
});

describe('find', () => {
  const anything: FindQuestion = {
    revision: 'main', path: Buffer.alloc(0), name: null, sha256: null, sizeMin: null, sizeMax: null, setuid: false, type: null,
  }; // prettier-ignore

  it.each<readonly [string, Partial<FindQuestion>, string[]]>([
    ['a name', { name: 'mo*' }, ['etc/motd']],
    ['content', { sha256: digestOf('root\n').slice(7, 15) }, ['etc/passwd']],
    ['setuid', { setuid: true }, ['usr/bin/su']],
    ['a least size', { sizeMin: 1_000 }, ['usr/bin/tool']],
    ['a size between', { sizeMin: 5, sizeMax: 10 }, ['etc/motd', 'etc/passwd']],
    ['a type and a place', { type: 'directory', path: parsePath('usr') }, ['usr', 'usr/bin']],
    ['what nothing is', { name: 'mo*', setuid: true }, []],
  ])('finds by %s', async (_what, asked, expected) => {
    const found: string[] = [];
    for await (const entry of (await find(files, files.repo, { ...anything, ...asked })).entries()) {
      found.push(entry.path.toString());
    }
    expect(found).toEqual(expected);
  });
});

describe('du', () => {
  it('tells own, virtual, shared and unique bytes of refs', async () => {
    const used = await usage(files.graph, files.repo);
    const whole = base.tar.length + top.tar.length;
    expect(used).toMatchObject({ layers: 2, virtualBytes: whole, tarBytes: whole, storedBytes: whole });
    expect(used.refs).toMatchObject([
      { ref: 'refs/heads/main', ownBytes: top.tar.length, virtualBytes: whole, sharedBytes: 0, uniqueBytes: whole },
    ]);
  });
});

describe('lints', () => {
  it("are told of a commit's own layers and of what they do to those below", async () => {
    const { layers, union } = await lintsOf(files, files.repo, 'main');
    expect(layers).toMatchObject([{ layer: { diffId: top.diffId }, whiteouts: 1, entries: 9 }]);
    expect(union.kept).toContainEqual(expect.objectContaining({ rule: 'replaces-lower-symlink', path: 'bin' }));
  });
});

describe('what is opened', () => {
  const tars = () => files.opened.filter((one) => !one.startsWith('index ') && !one.startsWith('tree '));

  it('is no layer for ls, diff, find, lints and du', async () => {
    await names({ recursive: true });
    await changes({ shadows: true });
    await lintsOf(files, files.repo, 'main');
    await usage(files.graph, files.repo);
    await contentAt('main', 'etc/motd');
    expect(tars()).toEqual([]);
    expect(files.opened).toContain(`index ${top.diffId}`);
  });

  it('is for cat the one layer that holds the file, and for a symlink none', async () => {
    await textAt('main', 'etc/motd');
    expect(tars()).toEqual([top.diffId]);
    files.opened.splice(0);
    await textAt('main~1', 'bin');
    expect(tars()).toEqual([]);
  });
});

it('every refusal has a code', async () => {
  const error = await contentAt('main..main~1', 'x').catch((thrown: unknown) => thrown);
  expect(isVarveError(error, 'NAME_INVALID')).toBe(true);
});
