import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CreatedCommit } from '#client/answer';
import type { Change, DiffLine, LayerEntry, ShownLayer, TreeEntry, Usage } from '#client/file-answer';
import * as shape from '#edge/rest/question-schema';
import { layer } from '../fixture/layer-builder.js';
import { rawTar } from '../fixture/raw-tar.js';
import { type BuiltEntry, tarBytes } from '../fixture/tar-bytes.js';
import { type Workspace, workspace } from './harness/archives.js';
import { cuttingProxy } from './harness/bad-network.js';
import { embedded } from './harness/mode.js';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

/** Questions about what is in commits and layers, by command and over REST, against the real process. */
let server: Server;
let work: Workspace;
let varve: Varve;
const large = Buffer.alloc(3_000_000, 'varve');

const baseTar = layer({
  bin: { link: 'usr/bin' },
  'etc/': null,
  'etc/motd': 'hello\n',
  'etc/old': 'old\n',
  'etc/passwd': 'root\n',
  'usr/': null,
  'usr/bin/': null,
  'usr/bin/tool': large,
}).tar;
const topTar = tarBytes([
  { name: 'etc/', type: 'directory' },
  { name: 'etc/motd', body: 'hello app\n' },
  { name: 'etc/.wh.old' },
  { name: 'etc/passwd', body: 'root\n', mode: 0o600, uid: 7 },
  { name: 'usr/bin/su', body: 'su', mode: 0o4755 },
  { name: 'usr/bin/again', type: 'hardlink', link: 'usr/bin/su', mode: 0o4755 },
] satisfies BuiltEntry[]);
const oddTar = rawTar([
  { name: 'caf\xe9', body: 'latin' },
  { name: 'esc\x1b[31m\nline', body: 'x' },
]);
let top: CreatedCommit;

beforeAll(async () => {
  [server, work] = await Promise.all([startServer(), workspace()]);
  varve = varveAt(server.url);
  await varve('init', 'app');
  await put('base', baseTar);
  top = await put('top\n\nwith a body', topTar);
  await varve('branch', 'side', 'main~1');
  await put('odd', oddTar, 'side');
  await varve('tag', 'v1', 'main~1');
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

async function put(message: string, tar: Buffer, branch = 'main'): Promise<CreatedCommit> {
  return varve.json('commit', await work.file('layer.tar', tar), '-m', message, '-b', branch);
}

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await varve(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

const api = (path: string) => `${server.url}/api/v1/repos/app/${path}`;

describe('ls', () => {
  it('lists a directory, everything below, or in full', async () => {
    expect(await said('ls', 'main')).toBe('bin\netc\nusr\n');
    expect(await said('ls', 'main:etc')).toBe('motd\npasswd\n');
    expect(await said('ls', '-R', 'main', '/etc/')).toBe('etc/motd\netc/passwd\n');
    expect(await said('ls', '-l', 'main', 'usr/bin/su')).toMatch(/^-rwsr-xr-x 0:0 +2 2015-06-16 00:00:00 su\n$/);
    expect(await said('ls', '-l', 'main', 'bin')).toMatch(/^lrwxrwxrwx .* bin -> usr\/bin\n$/);
  });

  it('tells programs everything, as the interface promises', async () => {
    const entries = (await varve.lines<TreeEntry>('ls', '-R', 'main')).map((one) => shape.treeEntry.parse(one));
    expect(entries.map(({ path }) => path)).toEqual([
      'bin', 'etc', 'etc/motd', 'etc/passwd', 'usr', 'usr/bin', 'usr/bin/again', 'usr/bin/su', 'usr/bin/tool',
    ]); // prettier-ignore
    expect(entries[8]).toMatchObject({ sha256: `sha256:${sha256(large)}`, size: large.length, mode: '0644', uid: 0 });
    const page = await fetch(api('tree/main?recursive=true&limit=2'));
    expect(page.headers.get('varve-position')).toMatch(/\.0\.\d+$/);
    const { entries: two, cursor } = shape.treeListing.parse(await page.json());
    expect(two).toHaveLength(2);
    const rest = await (await fetch(api(`tree/main?recursive=true&cursor=${cursor}`))).json();
    expect(shape.treeListing.parse(rest)).toMatchObject({ cursor: null, entries: { length: 7 } });
  });

  it('keeps names that are no UTF-8 for programs, and harmless for a terminal', async () => {
    const odd = (await varve.lines<TreeEntry>('ls', 'side')).find(({ pathBase64 }) => pathBase64 !== undefined);
    const pathBase64 = Buffer.from('caf\xe9', 'latin1').toString('base64');
    expect(odd).toMatchObject({ path: 'caf\ufffd', pathBase64 });
    expect(await said('cat', 'side', '--path-base64', pathBase64)).toBe('latin');
    expect(await said('ls', 'side')).toContain('esc\\u001b[31m\\u000aline\n');
  });
});

describe('cat', () => {
  it('writes a file byte for byte, and the target of a symlink', async () => {
    expect(await said('cat', 'main:etc/motd')).toBe('hello app\n');
    expect(await said('cat', 'main~1', '/etc/motd')).toBe('hello\n');
    expect(await said('cat', 'main:bin')).toBe('usr/bin');
    expect((await varve('cat', 'main:usr/bin/tool')).bytes.equals(large)).toBe(true);
    expect(await said('cat', 'main:usr/bin/again')).toBe('su');
  });

  it('answers ranges and conditions, with the sha256 as the ETag', async () => {
    const url = api('tree/main/content?path=usr/bin/tool');
    const head = await fetch(url, { method: 'HEAD' });
    const etag = `"sha256:${sha256(large)}"`;
    expect(Object.fromEntries(head.headers)).toMatchObject({
      etag,
      'content-length': String(large.length),
      'varve-commit': top.commit,
      'varve-entry-type': 'file',
    });
    const part = await fetch(url, { headers: { range: 'bytes=1000-1009' } });
    expect(part.status).toBe(206);
    expect(await part.text()).toBe(large.subarray(1000, 1010).toString());
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await fetch(url, { headers: { range: 'bytes=9999999-' } })).status).toBe(416);
  });

  embedded('it damages a file of the store').it('ends with 7 when the layer is not what was indexed', async () => {
    const tar = tarBytes([
      { name: 'small', body: 'a'.repeat(600) },
      { name: 'big', body: 'b'.repeat(2_500_000) },
    ]);
    await varve('branch', 'damaged', 'main');
    const made = await put('to be damaged', tar, 'damaged');
    const stored = await storedAt(made.layer!.digest);
    const file = await open(stored, 'r+');
    for (const position of [512 + 10, 512 + 1024 + 512 + 100]) await file.write('X', position);
    await file.close();
    for (const path of ['small', 'big']) {
      const ran = await varve('cat', `damaged:${path}`);
      expect({ code: ran.code, stderr: ran.stderr }).toEqual({
        code: 7,
        stderr: expect.stringContaining('CORRUPT') as string,
      });
    }
    expect(await (await fetch(api('tree/damaged/content?path=small'))).json()).toMatchObject({ code: 'CORRUPT' });
    const cut = fetch(api('tree/damaged/content?path=big')).then((answer) => answer.arrayBuffer());
    await expect(cut).rejects.toThrow();
    expect(await varve('layer', 'tar', made.layer!.diffId, '-o', join(work.path, 'x.tar'))).toMatchObject({ code: 7 });
  });

  async function storedAt(digest: string): Promise<string> {
    const hex = digest.slice('sha256:'.length);
    const all = await readdir(server.data, { recursive: true, withFileTypes: true });
    const found = all.find(
      (one) => one.isFile() && `${one.parentPath}/${one.name}`.includes(hex) && !one.parentPath.includes('derived'),
    );
    return join(found!.parentPath, found!.name);
  }
});

describe('diff', () => {
  it('tells people what is other, and how', async () => {
    const text = await said('diff', 'main~1', 'main');
    expect(text).toContain('M etc/motd  6 B → 10 B\n');
    expect(text).toContain('m etc/passwd  mode 0644 → 0600, owner 0:0 → 7:0\n');
    expect(text).toContain('D etc/old  4 B\n');
    expect(text).toContain('2 added, 1 changed, 1 with other metadata, 1 deleted; ');
    expect(await said('diff', 'main~1..main', '--name-status')).toBe(
      'M\tetc/motd\nD\tetc/old\nm\tetc/passwd\nA\tusr/bin/again\nA\tusr/bin/su\n',
    );
    expect(await said('diff', 'main~1', 'main', '--stat')).toMatch(/^DIRECTORY +CHANGES[\s\S]*^etc +3 /m);
  });

  it('looks at paths alone', async () => {
    expect(await said('diff', 'main~1', 'main', '--name-status', '--', 'usr', 'etc/old')).toBe(
      'D\tetc/old\nA\tusr/bin/again\nA\tusr/bin/su\n',
    );
    expect(await said('diff', 'main~1..main', '--name-status', '--', 'etc/motd')).toBe('M\tetc/motd\n');
  });

  it('starts at the merge base for three dots', async () => {
    expect(await said('diff', 'side...main', '--name-status')).toBe(
      await said('diff', 'main~1', 'main', '--name-status'),
    );
    expect(await said('diff', 'side..main', '--name-status')).not.toBe(
      await said('diff', 'side...main', '--name-status'),
    );
  });

  it('gives programs lines that end with a summary', async () => {
    const lines = (await varve.lines<DiffLine>('diff', 'main~1', 'main')).map((line) => shape.diffLine.parse(line));
    expect(lines[0]).toMatchObject({ type: 'head', layers: { shared: 1, removed: [], added: [top.layer!.diffId] } });
    expect(lines.at(-1)).toMatchObject({ type: 'summary', classes: { A: 2, M: 1, m: 1, D: 1, T: 0, S: 0 } });
    const motd = lines.find((line): line is z => line.type === 'change' && line.path === 'etc/motd');
    expect(motd).toMatchObject({ before: { sha256: `sha256:${sha256('hello\n')}` }, changed: ['content'] });
    const stat = await (await fetch(api('diff?from=v1&to=main&stat=true'))).text();
    expect(stat.trim().split('\n')).toHaveLength(2);
  });
  type z = Extract<ReturnType<typeof shape.diffLine.parse>, { type: 'change' }>;
});

describe('show', () => {
  it("tells a commit's own changes, shadows too, and what may surprise", async () => {
    const text = await said('show', 'main');
    expect(text).toMatch(/^commit [0-9a-f]{64} \(main\)/);
    expect(text).toContain('S etc\n');
    expect(text).toContain('M etc/motd');
    expect(await said('show', 'main', '--stat')).toMatch(/1 deleted, 1 there again unchanged; .*\n$/);
    const names = await said('show', 'main', '--name-status');
    expect(names.split('\n')).toContain('S\tetc');
    const whole = await varve.json<{ changes: { classes: object }; lints: { layers: ShownLayer[] } }>('show', 'main');
    expect(whole.changes.classes).toMatchObject({ A: 2, S: 1 });
    expect(whole.lints.layers).toMatchObject([{ diffId: top.layer!.diffId, whiteouts: 1 }]);
  });
});

describe('layer', () => {
  it('gives the exact tar back, whole and in parts', async () => {
    const { diffId } = top.layer!;
    expect((await varve('layer', 'tar', diffId)).bytes.equals(topTar)).toBe(true);
    const file = join(work.path, 'again.tar');
    await said('layer', 'tar', diffId.slice(7, 19), '-o', file);
    expect(`sha256:${sha256(await readFile(file))}`).toBe(diffId);
    const part = await fetch(api(`layers/${diffId}/tar`), { headers: { range: 'bytes=0-4' } });
    expect(await part.text()).toBe('etc/\0');
    expect(part.headers.get('etag')).toBe(`"${diffId}"`);
  });

  it('lists its entries in the order of its tar, whiteouts too', async () => {
    const entries = await varve.lines<LayerEntry>('layer', 'ls', top.layer!.diffId);
    expect(entries.map((one) => shape.layerEntry.parse(one)).map(({ path, role }) => `${role} ${path}`)).toEqual([
      'node etc', 'node etc/motd', 'whiteout etc/.wh.old', 'node etc/passwd', 'node usr/bin/su', 'node usr/bin/again',
    ]); // prettier-ignore
    expect(entries[1]).toMatchObject({ offset: 512, sha256: `sha256:${sha256('hello app\n')}` });
    expect(await said('layer', 'ls', top.layer!.diffId)).toContain('etc/.wh.old (whiteout)\n');
  });

  it('writes what it alone has at a path, through its hardlinks', async () => {
    expect(await said('layer', 'cat', top.layer!.diffId, 'etc/motd')).toBe('hello app\n');
    expect(await said('layer', 'cat', top.layer!.diffId, 'usr/bin/again')).toBe('su');
    expect(await said('layer', 'show', top.layer!.diffId)).toContain('6 entries, 1 whiteouts');
  });
});

describe('find, du, merge-base, rev-parse and log', () => {
  it('finds by name, content, size, type and setuid', async () => {
    expect(await said('find', 'main', '--setuid')).toBe('usr/bin/again\nusr/bin/su\n');
    expect(await said('find', 'main', 'etc', '--name', 'm?t*')).toBe('etc/motd\n');
    expect(await said('find', 'main', '--size', '+2M')).toBe('usr/bin/tool\n');
    expect(await said('find', 'main', '--sha256', sha256('root\n').slice(0, 8))).toBe('etc/passwd\n');
    expect(await said('find', 'main', '--type', 'l')).toBe('bin\n');
    expect(await said('find', 'main', '--name', 'nothing')).toBe('');
  });

  it('tells what is alone and what is shared', async () => {
    const [used] = await varve.json<(Usage & { repo: string })[]>('du');
    shape.usage.parse(used);
    const side = used!.refs.find(({ ref }) => ref === 'refs/heads/side');
    expect(side).toMatchObject({ sharedBytes: baseTar.length, uniqueBytes: oddTar.length, ownBytes: oddTar.length });
    expect(await said('du')).toMatch(/^REF +OWN +VIRTUAL +SHARED +UNIQUE\n/);
  });

  it('resolves what git would', async () => {
    const [base] = (await said('rev-parse', 'main~1')).split('\n');
    expect(await said('merge-base', 'main', 'side')).toBe(`${base}\n`);
    expect(await said('merge-base', 'main', 'side', '--all')).toBe(`${base}\n`);
    expect(await said('rev-parse', 'v1..main')).toBe(`${top.commit}\n^${base}\n`);
    expect(await said('rev-parse', '--short', ':/with a body')).toBe(`${top.commit.slice(0, 12)}\n`);
    expect(await said('rev-parse', 'main@{0.seconds.ago}', top.layer!.diffId.slice(0, 20))).toBe(
      `${top.commit}\n${top.commit}\n`,
    );
    expect(await said('log', '--oneline', 'side..main')).toBe(`${top.commit.slice(0, 12)} (main) top\n`);
    expect((await said('log', '--oneline', 'side...main')).trim().split('\n')).toHaveLength(2);
    expect(await said('log', 'main..v1')).toBe('');
  });
});

it.each<[string, string[], number, RegExp]>([
  [
    'an unknown path',
    ['cat', 'main:etc/mottd'],
    3,
    /has no "mottd" \(PATH_UNKNOWN\)\n.*did you mean etc\/motd\?\n.*varve ls/,
  ],
  ['a path behind a symlink', ['cat', 'main:bin/tool'], 3, /none is followed[\s\S]*did you mean usr\/bin\/tool/],
  ['a directory as a file', ['cat', 'main:etc'], 2, /"etc" is a directory/],
  ['no path at all', ['cat', 'main'], 2, /REV:PATH/],
  ['a way out of the tree', ['ls', 'main', '../..'], 2, /has "\.\."/],
  ['a range where a commit is asked for', ['ls', 'v1..main'], 2, /a range of commits/],
  ['a path where a commit is asked for', ['show', 'main:etc'], 2, /a path in a tree/],
  ['one side of a comparison', ['diff', 'main'], 2, /compared with nothing/],
  ['a path that neither side has', ['diff', 'v1', 'main', '--', 'nope'], 3, /PATH_UNKNOWN/],
  ['a size that is none', ['find', 'main', '--size', 'big'], 2, /not a size/],
  ['digits that are too few', ['find', 'main', '--sha256', 'abc'], 2, /4 to 64 hex digits/],
  ['a layer that is none', ['layer', 'ls', 'main'], 2, /is not a diffID/],
  ['a layer that is not there', ['layer', 'ls', 'sha256:00000000'], 3, /BLOB_UNKNOWN/],
  ['a path that the layer does not have', ['layer', 'cat', 'TOP', 'etc/mot'], 3, /PATH_UNKNOWN[\s\S]*etc\/motd/],
  ['something else of a layer', ['layer', 'eat', 'TOP'], 2, /Allowed choices are show, ls, cat, tar/],
  ['a time before the ref was', ['log', 'main@{2001-01-01}'], 3, /main was first set at/],
  ['a time to come', ['log', 'main@{2999-01-01}'], 3, /is in the future/],
  ['a message that no commit has', ['log', ':/nothing says this'], 3, /COMMIT_UNKNOWN/],
])('refuses %s', async (_what, args, code, message) => {
  const ran = await varve(...args.map((word) => (word === 'TOP' ? top.layer!.diffId : word)));
  expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code, stdout: '' });
  expect(ran.stderr).toMatch(message);
});

it.each<[string, string, number]>([
  ['tree/main?path=a&pathBase64=YQ==', 'REQUEST_INVALID', 400],
  ['tree/main?limit=0', 'REQUEST_INVALID', 400],
  ['tree/main?limit=10001', 'REQUEST_INVALID', 400],
  ['tree/main?cursor=x', 'REQUEST_INVALID', 400],
  ['tree/main?nope=1', 'REQUEST_INVALID', 400],
  ['tree/main?path=nope', 'PATH_UNKNOWN', 404],
  ['tree/nope', 'REF_UNKNOWN', 404],
  ['tree/main/content?path=etc', 'REQUEST_INVALID', 400],
  ['find?sha256=xyz', 'REQUEST_INVALID', 400],
  ['find?type=hardlink', 'REQUEST_INVALID', 400],
  ['find?sizeMin=-1', 'REQUEST_INVALID', 400],
  ['diff?from=nope', 'REF_UNKNOWN', 404],
  ['diff?from=main..side', 'NAME_INVALID', 400],
  ['layers/zz', 'NAME_INVALID', 400],
  ['layers/0000/tar', 'BLOB_UNKNOWN', 404],
  ['layers/0000/entries', 'BLOB_UNKNOWN', 404],
  ['merge-base?a=main', 'REQUEST_INVALID', 400],
])('answers %s with %s', async (path, code, status) => {
  const answer = await fetch(api(path));
  expect({ status: answer.status, code: answer.headers.get('varve-error') }).toEqual({ status, code });
  expect(await answer.json()).toMatchObject({ code, status });
});

describe('a bad network', () => {
  it('is no end of a file: what is missing is asked for again', async () => {
    const network = await cuttingProxy(server.url, [20_000, 700_000, 1_000_000]);
    const ran = await varveAt(network.url)('cat', 'main:usr/bin/tool', '--repo', 'app');
    await network.close();
    expect({ code: ran.code, same: ran.bytes.equals(large) }).toEqual({ code: 0, same: true });
    expect(network.connections).toBeGreaterThan(1);
  });

  it('is no end of a list: what has no summary is not whole', async () => {
    const names = Array.from({ length: 3_000 }, (_, at) => ({ name: `many/${at}`, body: 'x' }));
    await varve('branch', 'many', 'main');
    await put('many', tarBytes(names), 'many');
    const network = await cuttingProxy(server.url, [400_000]);
    const ran = await varveAt(network.url)('find', 'many', '--repo', 'app', '--json');
    await network.close();
    expect(ran.code).toBe(5);
    expect(ran.stderr).toContain('broke off');
  });
});

it('lets the reader of a list leave early', async () => {
  const line = `"$0" ls -R main | head -n 1`;
  const { stdout, status } = spawnSync('/bin/bash', ['-o', 'pipefail', '-c', line, new URL('../../bin/varve', import.meta.url).pathname], { env: { ...process.env, VARVE_SERVER: server.url } }); // prettier-ignore
  expect({ text: stdout.toString(), status }).toEqual({ text: 'bin\n', status: 0 });
});

it('tells the same change over REST and by command', async () => {
  const lines = (await (await fetch(api('diff?from=v1&to=main'))).text()).trim().split('\n').map((line) => JSON.parse(line) as DiffLine); // prettier-ignore
  expect(await varve.lines<DiffLine>('diff', 'v1', 'main')).toEqual(lines);
  expect(lines.filter((line): line is Change => line.type === 'change').map(({ class: is }) => is)).toEqual([
    'M',
    'D',
    'm',
    'A',
    'A',
  ]);
});

function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
