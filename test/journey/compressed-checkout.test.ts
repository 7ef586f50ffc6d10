import * as fs from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { layer } from '../fixture/layer-builder.js';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { type Workspace, workspace } from './harness/archives.js';
import { type BadNetwork, cuttingProxy } from './harness/bad-network.js';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

let server: Server;
let varve: Varve;
let plain: Buffer;
const path = '/api/v1/repos/app/commits/main/rootfs.tar';

beforeAll(async () => {
  server = await startServer();
  varve = varveAt(server.url);
  await varve('init', 'app');
  const input = layer({ 'etc/motd': 'hello\n'.repeat(100_000), big: randomBytesOf(5, 1_000_000) }).blob;
  await varve.with({ input }, 'commit', '-', '-m', 'files');
  plain = (await ask(path)).body;
});
afterAll(() => server?.stop());

const proxies: BadNetwork[] = [];
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
});

/** Closed after the test, whatever becomes of it. */
async function proxied(cutAfterBytes: readonly number[]): Promise<BadNetwork> {
  const proxy = await cuttingProxy(server.url, cutAfterBytes);
  proxies.push(proxy);
  return proxy;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

async function ask(target: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(new URL(target, server.url), { method, headers, agent: false }, resolve).once('error', reject);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

it.each([
  ['tar.gz', 'application/gzip', gunzipSync],
  ['tar.zst', 'application/zstd', zstdDecompressSync],
] as const)('streams a %s that inflates to the canonical tar', async (format, mediaType, inflate) => {
  const { status, headers, body } = await ask(`${path}?format=${format}`);
  expect({ status, type: headers['content-type'], encoding: headers['content-encoding'] }).toEqual({
    status: 200,
    type: mediaType,
    encoding: undefined,
  });
  expect(headers['content-length']).toBeUndefined();
  expect(headers['content-disposition']).toMatch(new RegExp(`\\.${format}"$`));
  expect(inflate(body).equals(plain)).toBe(true);
  expect(body.length).toBeLessThan(plain.length * 0.8);
});

it('sends a tar encoded with zstd to a client that takes it, and plain to one that resumes', async () => {
  const encoded = await ask(path, { 'accept-encoding': 'gzip, zstd' });
  expect(encoded.headers).toMatchObject({ 'content-type': 'application/x-tar', 'content-encoding': 'zstd' });
  expect(zstdDecompressSync(encoded.body).equals(plain)).toBe(true);
  const rest = await ask(path, { 'accept-encoding': 'zstd', range: 'bytes=1000-' });
  expect(rest.status).toBe(206);
  expect(rest.body.equals(plain.subarray(1000))).toBe(true);
});

it('gives each form its own ETag, and knows it again', async () => {
  const forms = await Promise.all(
    ['tar', 'tar.gz', 'tar.zst'].map((format) => ask(`${path}?format=${format}`, {}, 'HEAD')),
  );
  const tags = forms.map(({ headers }) => headers.etag ?? '');
  expect(new Set(tags).size).toBe(3);
  expect(forms.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect((await ask(`${path}?format=tar.zst`, { 'if-none-match': tags[2]! })).status).toBe(304);
  expect((await ask(`${path}?format=tar.zst`, { 'if-match': tags[0]! })).status).toBe(412);
});

it('ignores a range of what has no length, and refuses a format it does not know', async () => {
  const whole = await ask(`${path}?format=tar.zst`, { range: 'bytes=10-' });
  expect(whole.status).toBe(200);
  expect(whole.headers['accept-ranges']).toBe('none');
  expect(zstdDecompressSync(whole.body).equals(plain)).toBe(true);
  expect((await ask(`${path}?format=tar.xz`)).status).toBe(400);
});

describe('varve checkout', () => {
  let work: Workspace;
  beforeAll(async () => (work = await workspace()));
  afterAll(() => work?.remove());
  const fileOf = (name: string): string => join(work.path, name);

  it.each([
    ['a.tar.gz', [], gunzipSync],
    ['a.tgz', [], gunzipSync],
    ['a.tar.zst', [], zstdDecompressSync],
    ['named.tar', ['--format', 'tar.zst'], zstdDecompressSync],
    ['a.tar.gz', ['--format', 'tar'], (bytes: Buffer) => bytes],
  ] as const)('writes %s as its name or --format says (%j)', async (name, options, inflate) => {
    const ran = await varve.with({}, 'checkout', 'main', '-o', fileOf(name), ...options);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(inflate(fs.readFileSync(fileOf(name))).equals(plain)).toBe(true);
  });

  it('streams a compressed tar, and tells its size when it is known', async () => {
    const { bytes } = await varve('checkout', 'main', '-o', '-', '--format', 'tar.gz');
    expect(gunzipSync(bytes).equals(plain)).toBe(true);
    const file = fileOf('told.tar.zst');
    const told = await varve.json<{ bytes: number; etag: string }>('checkout', 'main', '-o', file);
    expect(told.bytes).toBe(fs.statSync(file).size);
    expect(told.etag).toMatch(/\.zst-/);
  });

  it('does not take half of a compressed tar for a whole one', async () => {
    const file = fileOf('cut.tar.gz');
    const proxy = await proxied([300_000, 300_000]);
    const ran = await varve.with({ env: { VARVE_SERVER: proxy.url } }, 'checkout', 'main', '-o', file, '--repo', 'app');
    expect({ code: ran.code, says: ran.stderr.includes('start again') }).toEqual({ code: 5, says: true });
    expect(fs.readdirSync(work.path).filter((name) => name.includes('cut'))).toEqual([]);
  });
});

describe('varve checkout --parallel', () => {
  let work: Workspace;
  let large: Buffer;
  beforeAll(async () => {
    work = await workspace();
    const input = layer({ large: randomBytesOf(6, 9_000_000) }).blob;
    await varve('branch', 'large');
    await varve.with({ input }, 'commit', '-', '-b', 'large', '-m', 'much');
    large = (await varve('checkout', 'large', '-o', '-')).bytes;
  });
  afterAll(() => work?.remove());

  it.each([2, 5, 16])('fetches one file over %i connections', async (count) => {
    const proxy = await proxied([]);
    const file = join(work.path, `over-${count}.tar`);
    const ran = await varve.with(
      { env: { VARVE_SERVER: proxy.url } },
      'checkout',
      'large',
      '-o',
      file,
      '--parallel',
      String(count),
      '--repo',
      'app',
    );
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(fs.readFileSync(file).equals(large)).toBe(true);
    // One asks for the revision; a piece is at least 1 MiB.
    expect(proxy.connections).toBe(1 + Math.min(count, Math.floor(large.length / 2 ** 20)));
  });

  it('takes up each piece where its connection broke', async () => {
    const proxy = await proxied([Number.POSITIVE_INFINITY, 700_000, 800_000, 900_000, 100_000]);
    const file = join(work.path, 'broken.tar');
    const ran = await varve.with(
      { env: { VARVE_SERVER: proxy.url } },
      'checkout',
      'large',
      '-o',
      file,
      '--parallel',
      '3',
      '--repo',
      'app',
    );
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(fs.readFileSync(file).equals(large)).toBe(true);
    expect(proxy.connections).toBeGreaterThanOrEqual(1 + 3 + 4);
  });

  it('leaves nothing when one piece cannot be had', async () => {
    // Every connection after the first ones brings nothing: the piece gives up, and ends the others.
    const proxy = await proxied([Number.POSITIVE_INFINITY, ...Array.from({ length: 40 }, () => 0)]);
    const file = join(work.path, 'never.tar');
    const ran = await varve.with(
      { env: { VARVE_SERVER: proxy.url } },
      'checkout',
      'large',
      '-o',
      file,
      '--parallel',
      '4',
      '--repo',
      'app',
    );
    expect(ran.code).toBe(5);
    expect(fs.readdirSync(work.path).filter((name) => name.includes('never'))).toEqual([]);
  });

  it.each([
    ['a stream', ['-o', '-']],
    ['a directory', ['--dir', 'somewhere']],
    ['a compressed tar', ['-o', 'x.tar.zst']],
  ] as const)('refuses %s', async (_, where) => {
    const ran = await varve.with({ cwd: work.path }, 'checkout', 'large', ...where, '--parallel', '2');
    expect({ code: ran.code, says: ran.stderr.includes('--parallel wants a plain tar') }).toEqual({
      code: 2,
      says: true,
    });
  });

  it.each(['0', '17', 'many', '-1'])('refuses to count to %s', async (count) => {
    expect((await varve('checkout', 'large', '-o', 'x.tar', `--parallel=${count}`)).code).toBe(2);
  });
});
