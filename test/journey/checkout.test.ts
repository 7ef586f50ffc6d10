import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import { tarBytes } from '../fixture/tar-bytes.js';
import { type Workspace, workspace } from './harness/archives.js';
import { cuttingProxy, stallingProxy } from './harness/bad-network.js';
import { readableProject } from './harness/plain-user.js';
import { cleanEnvironment, type Server, startServer } from './harness/server.js';
import { finished, type Varve, varveAt, varveCommand } from './harness/varve.js';

let server: Server;
let work: Workspace;
let varve: Varve;
/** About 5 MB: more than one connection's buffers hold. */
const big = randomBytesOf(3, 5_000_000);
beforeAll(async () => {
  [server, work] = await Promise.all([startServer(), workspace()]);
  varve = varveAt(server.url);
  await varve('init', 'app');
  const layers = [
    tarBytes([
      { name: './', type: 'directory', mode: 0o755 },
      { name: 'etc/', type: 'directory', mode: 0o751 },
      { name: 'etc/motd', body: 'one\n', mode: 0o640 },
      { name: 'etc/hard', type: 'hardlink', link: 'etc/motd', mode: 0o640 },
      { name: 'etc/old', body: 'old\n' },
      { name: 'link', type: 'symlink', link: '/etc/motd' },
    ]),
    layer({ big: big, 'etc/.wh.old': '', 'etc/new': 'new\n' }, 'gzip').blob,
    layer({ 'etc/': null, 'etc/.wh..wh..opq': '', 'etc/only': 'only\n' }, 'zstd').blob,
  ];
  for (const [i, input] of layers.entries()) await varve.with({ input }, 'commit', '-', '-m', `layer ${i}`);
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

const names = (tar: Buffer): string[] =>
  execFileSync('tar', ['-t'], { input: tar }).toString().split('\n').filter(Boolean);

it('gives the union of any commit, old and new', async () => {
  const expected = [
    ['main~3', []],
    ['main~2', ['./', 'etc/', 'etc/hard', 'etc/motd', 'etc/old', 'link']],
    ['main~1', ['./', 'big', 'etc/', 'etc/hard', 'etc/motd', 'etc/new', 'link']],
    ['main', ['./', 'big', 'etc/', 'etc/only', 'link']],
  ] as const;
  for (const [rev, paths] of expected) {
    const { bytes, code, stderr } = await varve('checkout', rev, '-o', '-');
    expect({ rev, code, stderr, paths: names(bytes) }).toEqual({ rev, code: 0, stderr: '', paths: [...paths] });
  }
});

it('is the canonical tar, byte for byte', async () => {
  const { bytes } = await varve('checkout', 'main~2', '-o', '-');
  expect(bytes.length % 512).toBe(0);
  expect(bytes.subarray(-1024).every((byte) => byte === 0)).toBe(true);
  // In path order: the first name of an inode carries the data, and the header is a plain ustar one.
  const expected = tarBytes([
    { name: './', type: 'directory', mode: 0o755 },
    { name: 'etc/', type: 'directory', mode: 0o751 },
    { name: 'etc/hard', body: 'one\n', mode: 0o640 },
    { name: 'etc/motd', type: 'hardlink', link: 'etc/hard', mode: 0o640 },
    { name: 'etc/old', body: 'old\n' },
    { name: 'link', type: 'symlink', link: '/etc/motd' },
  ]);
  expect(withoutDeviceFields(bytes).equals(withoutDeviceFields(expected))).toBe(true);
});

it('writes a file that is whole, and says how large', async () => {
  const file = join(work.path, 'rootfs.tar');
  const answer = await varve.json<{ bytes: number; etag: string; commit: string }>('checkout', 'main~1', '-o', file);
  expect(fs.statSync(file).size).toBe(answer.bytes);
  const { bytes } = await varve('checkout', 'main~1', '-o', '-');
  expect(fs.readFileSync(file).equals(bytes)).toBe(true);
  expect((await varve('checkout', 'main', '-o', file)).stdout).toMatch(
    /^wrote [0-9a-f]{12} to .*rootfs\.tar \(5\.\d+ MB\)\n$/,
  );
  expect(fs.statSync(file).size).not.toBe(answer.bytes);
  expect(fs.readdirSync(work.path).filter((name) => name.startsWith('.'))).toEqual([]);
});

it('writes to what is no regular file, and refuses a directory', async () => {
  expect((await varve('checkout', 'main', '-o', '/dev/null')).code).toBe(0);
  expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
  const refused = await varve('checkout', 'main', '-o', work.path);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is a directory') as string });
  expect((await varve('checkout', 'main', '-o', join(work.path, 'no/such/folder/x.tar'))).code).toBe(2);
});

it('extracts what tar would extract', async () => {
  const [ours, theirs] = [join(work.path, 'ours'), join(work.path, 'theirs')];
  fs.mkdirSync(theirs);
  const { bytes } = await varve('checkout', 'main~1', '-o', '-');
  execFileSync('tar', ['-x', '-p', '-C', theirs], { input: bytes });
  const ran = await varve('checkout', 'main~1', '--dir', ours);
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/^extracted [0-9a-f]{12} to /) as string });
  const list = (folder: string) =>
    execFileSync('find', ['.', '-printf', '%p %y %m %U %G %s %T@ %n %l\\n'], { cwd: folder })
      .toString()
      .split('\n')
      .toSorted();
  expect(list(ours)).toEqual(list(theirs));
  expect(fs.readFileSync(join(ours, 'big')).equals(big)).toBe(true);
  const again = await varve('checkout', 'main', '--dir', ours);
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('is not empty') as string });
  expect(list(ours)).toEqual(list(theirs));
});

it('extracts as a plain user too, and counts what only root may set', async () => {
  const folder = join(work.path, 'plain');
  fs.mkdirSync(folder);
  const other = 54_321;
  const plainUser = process.geteuid?.() === 0 ? { uid: other, gid: other } : {};
  if (process.geteuid?.() === 0) {
    fs.chmodSync(work.path, 0o755);
    fs.chownSync(folder, other, other);
  }
  const env = cleanEnvironment({ VARVE_SERVER: server.url });
  const project = readableProject();
  const command = join(project.root, 'bin/varve');
  const ran = await finished(
    spawn(command, ['checkout', 'main~2', '--dir', 'out'], { cwd: folder, env, ...plainUser }),
  ).finally(() => project.remove());
  expect(ran.code).toBe(0);
  expect(ran.stderr).toBe('varve: 5 owners not set: only root may give files to another user\n');
  expect(fs.readFileSync(join(folder, 'out/etc/motd'), 'utf8')).toBe('one\n');
  expect(fs.statSync(join(folder, 'out/etc')).mode & 0o777).toBe(0o751);
});

it('resumes where a connection broke, as often as it takes', async () => {
  const { bytes } = await varve('checkout', 'main~1', '-o', '-');
  // The first connection also asks for the revision; it is cut in the middle of the tar, and so are the next two.
  const proxy = await cuttingProxy(server.url, [1_000_000, 700_000, 900_000]);
  const file = join(work.path, 'resumed.tar');
  const ran = await varve.with({ env: { VARVE_SERVER: proxy.url } }, 'checkout', 'main~1', '-o', file, '--repo', 'app');
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(fs.readFileSync(file).equals(bytes)).toBe(true);
  expect(proxy.connections).toBeGreaterThanOrEqual(4);
  const streamed = await cuttingProxy(server.url, [600_000]);
  const out = await varve.with(
    { env: { VARVE_SERVER: streamed.url } },
    'checkout',
    'main~1',
    '-o',
    '-',
    '--repo',
    'app',
  );
  expect(out.code).toBe(0);
  expect(out.bytes.equals(bytes)).toBe(true);
  await Promise.all([proxy.close(), streamed.close()]);
});

it('ends with 5 and leaves nothing when the server is gone for good', async () => {
  const proxy = await cuttingProxy(server.url, [1_000_000, ...Array<number>(20).fill(0)]);
  const env = { VARVE_SERVER: proxy.url };
  const folder = join(work.path, 'gone');
  fs.mkdirSync(folder);
  const [file, dir, out] = await Promise.all([
    varve.with({ env, cwd: folder }, 'checkout', 'main~1', '-o', 'x.tar', '--repo', 'app'),
    (async () => {
      const other = await cuttingProxy(server.url, [1_000_000, ...Array<number>(20).fill(0)]);
      const ran = await varve.with(
        { env: { VARVE_SERVER: other.url }, cwd: folder },
        'checkout',
        'main~1',
        '--dir',
        'x',
        '--repo',
        'app',
      );
      await other.close();
      return ran;
    })(),
    (async () => {
      const other = await cuttingProxy(server.url, [1_000_000, ...Array<number>(20).fill(0)]);
      const ran = await varve.with(
        { env: { VARVE_SERVER: other.url } },
        'checkout',
        'main~1',
        '-o',
        '-',
        '--repo',
        'app',
      );
      await other.close();
      return ran;
    })(),
  ]);
  await proxy.close();
  for (const ran of [file, dir, out]) {
    expect(ran.code).toBe(5);
    expect(ran.stderr).toMatch(/stopped after \d+ of \d+ bytes|no server answers|connection to/);
  }
  expect(fs.readdirSync(folder)).toEqual([]);
  // A tar that is cut short must not look complete.
  expect(out.bytes.subarray(-1024).every((byte) => byte === 0)).toBe(false);
});

it('removes what it had half made when it is interrupted, and ends with 130', async () => {
  const folder = join(work.path, 'interrupted');
  fs.mkdirSync(folder);
  for (const where of [
    ['-o', 'x.tar'],
    ['--dir', 'x'],
  ]) {
    const proxy = await stallingProxy(server.url, 1_000_000);
    const child = varve.start(
      { env: { VARVE_SERVER: proxy.url }, cwd: folder },
      'checkout',
      'main~1',
      ...where,
      '--repo',
      'app',
    );
    await until(() => fs.readdirSync(folder).length > 0);
    child.kill('SIGINT');
    const ran = await finished(child);
    expect(ran).toMatchObject({ code: 130, stderr: expect.stringContaining('CANCELLED') as string });
    expect(fs.readdirSync(folder)).toEqual([]);
    await proxy.close();
  }
});

it('tells that the tar was cut when its reader leaves early', async () => {
  const child = spawn(
    '/bin/sh',
    ['-c', `{ "${varveCommand}" checkout main~1 -o - --repo app; echo $? >&2; } | head -c 1000 >/dev/null`],
    {
      env: cleanEnvironment({ VARVE_SERVER: server.url }),
    },
  );
  const { stderr } = await finished(child);
  expect(Number(stderr.trim().split('\n').at(-1))).toBeGreaterThan(0);
});

describe('over REST', () => {
  it('answers HEAD, Range, If-Range and If-None-Match as the RFC says', async () => {
    const path = '/api/v1/repos/app/commits/main~1/rootfs.tar';
    const whole = await request(path);
    expect(whole.status).toBe(200);
    const etag = whole.headers['etag'] as string;
    expect(etag).toMatch(/^"u1w1-[0-9a-f]{64}"$/);
    expect(Number(whole.headers['content-length'])).toBe(whole.body.length);
    const head = await request(path, {}, 'HEAD');
    expect({
      status: head.status,
      length: head.headers['content-length'],
      etag: head.headers['etag'],
      body: head.body.length,
    }).toEqual({
      status: 200,
      length: String(whole.body.length),
      etag,
      body: 0,
    });
    const part = await request(path, { range: 'bytes=1000-2999999' });
    expect(part.status).toBe(206);
    expect(part.headers['content-range']).toBe(`bytes 1000-2999999/${whole.body.length}`);
    expect(part.body.equals(whole.body.subarray(1000, 3_000_000))).toBe(true);
    const tail = await request(path, { range: 'bytes=-700', 'if-range': etag });
    expect(tail.body.equals(whole.body.subarray(-700))).toBe(true);
    expect((await request(path, { range: 'bytes=5-', 'if-range': '"u1w0-00"' })).status).toBe(200);
    expect((await request(path, { 'if-none-match': etag })).status).toBe(304);
    expect((await request(path, { range: `bytes=${whole.body.length}-` })).status).toBe(416);
  });

  it('every range put together is the whole', async () => {
    const path = '/api/v1/repos/app/commits/main~2/rootfs.tar';
    const { body: whole } = await request(path);
    const pieces: Buffer[] = [];
    for (let at = 0; at < whole.length; at += 777)
      pieces.push((await request(path, { range: `bytes=${at}-${at + 776}` })).body);
    expect(createHash('sha256').update(Buffer.concat(pieces)).digest('hex')).toBe(
      createHash('sha256').update(whole).digest('hex'),
    );
  });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

function request(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(`${server.url}${path}`, { headers, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
      response.on('error', reject);
    }).on('error', reject);
  });
}

/** Device numbers and the version field are written in two ways by tars that mean the same; all else must be equal. */
function withoutDeviceFields(tar: Buffer): Buffer {
  const copy = Buffer.from(tar);
  for (let at = 0; at + 512 <= copy.length; at += 512) {
    if (copy.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    copy.fill(0, at + 148, at + 156).fill(0, at + 329, at + 345);
  }
  return copy;
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isTrue(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
}
