import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import { S3Server } from '../fixture/s3-server.js';
import { type Workspace, workspace } from '../journey/harness/archives.js';
import { type Server, startServer } from '../journey/harness/server.js';
import { type Varve, varveAt } from '../journey/harness/varve.js';
import { seed } from './fault-row.js';

const content = randomBytesOf(seed, 300_000);
const built = layer({ 'app/': null, 'app/data': content });

interface Line {
  readonly type: string;
  readonly rule: string;
  readonly severity: string;
  readonly what: string;
  readonly message: string;
}

describe.each(['minio', 'versitygw'] as const)('an object that is damaged behind %s', (name) => {
  let store: S3Server;
  let work: Workspace;
  let server: Server;
  let varve: Varve;

  beforeEach(async () => {
    store = await S3Server.start(name);
    work = await workspace();
    const { bucket, endpoint, accessKey, secretKey } = store.options;
    const env = {
      VARVE_BLOB_STORE: `s3://${bucket}/damaged?endpoint=${endpoint}`,
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
    };
    server = await startServer({ data: join(work.path, 'data'), env });
    varve = varveAt(server.url);
    expect(await varve('init', 'app')).toMatchObject({ code: 0 });
    expect(await varve.with({ input: built.tar }, 'commit', '-', '-m', 'one')).toMatchObject({ code: 0 });
    expect(await varve('fsck')).toMatchObject({ code: 0 });
  });
  afterEach(async () => {
    await server?.kill();
    await store?.end();
    await work?.remove();
  });

  it.each([
    ['by one bit', flipBit],
    ['by its end', (path: string) => truncateSync(path, readFileSync(path).length - 5_000)],
  ])('%s: fsck finds it and says what to do, and no content is told as if it were whole', async (_, damage) => {
    damage(fileOf(store.folder, built.digest.slice('sha256:'.length)));
    const findings = (await varve('fsck', '--json')).stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line)
      .filter(({ type, severity }) => type === 'finding' && severity === 'fault');
    expect(findings.length).toBeGreaterThan(0);
    for (const finding of findings)
      expect(`${finding.what} ${finding.message}`).toContain(built.diffId.slice('sha256:'.length, 20));
    expect(findings.some(({ message }) => /restore|[Uu]pload|again|copy/.test(message))).toBe(true);
    const cat = await varve('cat', 'main:/app/data');
    expect(cat.code).not.toBe(0);
    expect(cat.stderr).toMatch(/CORRUPT|UNAVAILABLE/);
  });
});

/** Where the server keeps the bytes of an object: in a file of its own, or in a part of one. */
function fileOf(folder: string, hex: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => path.includes(`/blobs/sha256/${hex.slice(0, 2)}/${hex}/`));
  const [file] = files.filter((path) => !path.endsWith('xl.meta')).concat(files);
  if (file === undefined) throw new Error(`${folder} has no object of ${hex}`);
  return file;
}

function flipBit(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}
