import { get, type IncomingMessage } from 'node:http';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { layer } from '../fixture/layer-builder.js';
import { randomBytesOf } from '../fixture/bytes-random.js';
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
