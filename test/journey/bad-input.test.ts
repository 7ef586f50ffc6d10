import { gzipSync, zstdCompressSync } from 'node:zlib';
import { archiveOf, dockerArchive, legacyArchive, ociArchive, v1Chain } from '../fixture/archive-builder.js';
import { layer } from '../fixture/layer-builder.js';
import { tarBytes, type BuiltEntry } from '../fixture/tar-bytes.js';
import { appImage, baseLayer, v1Layers, v1Tip, type Workspace, workspace } from './harness/archives.js';
import { type Server, startServer } from './harness/server.js';
import { type Stored, storedIn } from './harness/stored.js';
import { type Ran, type Varve, varveAt } from './harness/varve.js';

let server: Server;
let work: Workspace;
let varve: Varve;
let tip: string;
beforeAll(async () => {
  [server, work] = await Promise.all([startServer(), workspace()]);
  varve = varveAt(server.url);
  await varve('init', 'good');
  const made = await varve.with({ input: baseLayer.tar }, 'commit', '-', '-m', 'base', '--json');
  tip = (JSON.parse(made.stdout) as { commit: string }).commit;
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

interface Refusal {
  readonly exit: number;
  /** One code, or several with `|` where more than one is right. */
  readonly code: string;
  readonly says: RegExp;
}

/** A refusal: its exit code, its stable code, a message that names the thing, no stack; and nothing is stored of it. */
async function expectRefusal(run: () => Promise<Ran>, { exit, code, says }: Refusal): Promise<void> {
  const before = await everything();
  const ran = await run();
  expect({ exit: ran.code, stdout: ran.stdout, stderr: ran.stderr }).toEqual({
    exit,
    stdout: '',
    stderr: expect.stringMatching(new RegExp(`\\((?:${code})\\)`)) as string,
  });
  expect(ran.stderr).toMatch(says);
  expect(ran.stderr).not.toMatch(/^ +at /m);
  expect(before.stored.staging).toEqual([]);
  expect(await everything()).toEqual(before);
}

/** The position and digest of the state, and every stored file. */
async function everything(): Promise<{ state: unknown; stored: Stored }> {
  const answer = await fetch(`${server.url}/api/v1/state`);
  return { state: await answer.json(), stored: await storedIn(server.data) };
}

const docker = dockerArchive([appImage]);
const oci = ociArchive([{ ...appImage, names: ['app:latest'] }]);
const legacy = legacyArchive(v1Layers, { app: { latest: v1Tip } });

/** The archive with the bodies of some entries replaced. */
function replaced(items: readonly BuiltEntry[], match: RegExp, body: (was: Buffer) => Uint8Array | string): Buffer {
  let count = 0;
  const changed = items.map((item) => {
    if (!match.test(item.name) || item.body === undefined || count++ > 0) return item;
    return { ...item, body: body(Buffer.from(item.body)) };
  });
  if (count === 0) throw new Error(`no entry is like ${match}`);
  return archiveOf(changed);
}

/** The archive with one space more in the config, which is no damage but to its digest. */
function respaced(items: readonly BuiltEntry[]): Buffer {
  const isConfig = (item: BuiltEntry): boolean => item.body?.toString().startsWith('{"architecture"') === true;
  if (!items.some(isConfig)) throw new Error('no entry is a config');
  return archiveOf(items.map((item) => (isConfig(item) ? { ...item, body: `${item.body?.toString()} ` } : item)));
}

function without(items: readonly BuiltEntry[], match: RegExp): Buffer {
  const kept = items.filter(({ name }) => !match.test(name));
  if (kept.length === items.length) throw new Error(`no entry is like ${match}`);
  return archiveOf(kept);
}

function changedByte(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

const v1 = (steps: Parameters<typeof v1Chain>[0], on?: string) => v1Chain(steps, on);
const a = 'a'.repeat(64);
const b = 'b'.repeat(64);
const cycle = [{ ...v1([{ layer: baseLayer, id: a }], b)[0]! }, { ...v1([{ layer: baseLayer, id: b }], a)[0]! }];

describe('archives', () => {
  it.each<[string, Buffer, string, RegExp]>([
    ['an empty file', Buffer.alloc(0), 'ARCHIVE_INVALID', /empty|no body|end/i],
    ['a text', Buffer.from('not a tar at all\n'.repeat(100)), 'ARCHIVE_INVALID', /entry 0|byte 0|checksum/],
    ['a tar of something else', archiveOf([{ name: 'README', body: 'hello' }]), 'ARCHIVE_INVALID', /./],
    [
      'an archive that is cut short',
      archiveOf(docker).subarray(0, archiveOf(docker).length / 2),
      'ARCHIVE_INVALID',
      /end|cut|short|trunc/i,
    ],
    ['a gzip archive that is cut short', gzipSync(archiveOf(docker)).subarray(0, 400), 'ARCHIVE_INVALID', /./],
    ['an archive with a damaged header', changedByte(archiveOf(docker), 3), 'ARCHIVE_INVALID', /checksum|byte 0/],
    [
      'a manifest.json that is no JSON',
      replaced(docker, /^manifest\.json$/, () => '[{'),
      'ARCHIVE_INVALID',
      /manifest\.json/,
    ],
    [
      'a manifest.json that names a layer that is not there',
      without(docker, /layer\.tar$/),
      'ARCHIVE_INVALID',
      /layer\.tar/,
    ],
    ['a config that is not there', without(docker, /^[0-9a-f]{64}\.json$/), 'ARCHIVE_INVALID', /\.json/],
    [
      'a layer that is not the one of its config',
      replaced(docker, /layer\.tar$/, () => layer({ other: 'x' }).tar),
      'DIGEST_MISMATCH',
      /sha256:/,
    ],
    ['an OCI blob that is not its digest', respaced(oci), 'DIGEST_MISMATCH', /sha256:|[0-9a-f]{12}/],
    ['an OCI layout without its index', without(oci, /^index\.json$/), 'ARCHIVE_INVALID', /index\.json/],
    [
      'a name that leaves the archive',
      archiveOf([{ name: '../../etc/passwd', body: 'x' }, ...docker]),
      'ARCHIVE_INVALID',
      /\.\.\/\.\.\/etc\/passwd/,
    ],
    [
      "layers of 2015 that are each other's parents",
      archiveOf(legacyArchive(cycle, { app: { latest: a } })),
      'ARCHIVE_INVALID',
      /cycle|parent/i,
    ],
    [
      'a layer of 2015 whose parent is not there',
      archiveOf(legacyArchive(v1Layers.slice(1), { app: { latest: v1Tip } })),
      'ARCHIVE_INVALID',
      /511136ea/,
    ],
    [
      "a json of 2015 that is another layer's",
      replaced(legacy, /\/json$/, () => JSON.stringify({ id: a })),
      'ARCHIVE_INVALID',
      /id|aaaa/,
    ],
    [
      'repositories that name a layer that is not there',
      archiveOf(legacyArchive(v1Layers, { app: { latest: a } })),
      'ARCHIVE_INVALID',
      /aaaa/,
    ],
    [
      'a layer of 2015 that is cut short',
      replaced(legacy, /layer\.tar$/, (was) => (was.length > 2048 ? was.subarray(0, 700) : was.subarray(0, 100))),
      'LAYER_INVALID',
      /layer|tar/,
    ],
    [
      'a tag that is no tag',
      archiveOf(legacyArchive(v1Layers, { app: { 'not a tag': v1Tip } })),
      'NAME_INVALID',
      /not a tag/,
    ],
  ])('refuses %s', async (what, bytes, code, says) => {
    const file = await work.file(`${what.replaceAll(/\W+/g, '-')}.tar`, bytes);
    await expectRefusal(() => varve('load', file), { exit: code === 'NAME_INVALID' ? 2 : 1, code, says });
  });
});

describe('layers', () => {
  const good = layer({ f: 'x'.repeat(3000), g: 'y'.repeat(3000) }).tar;
  it.each<[string, Buffer, RegExp]>([
    ['a tar that is cut short', good.subarray(0, 2000), /byte \d+|end|short/],
    ['a gzip that is cut short', gzipSync(good).subarray(0, 60), /gzip|end|short/i],
    [
      'a gzip with a damaged byte',
      changedByte(gzipSync(good), 40),
      /^varve: standard input: the compressed stream is broken/,
    ],
    ['a zstd that is cut short', zstdCompressSync(good).subarray(0, 40), /zstd|end|short/i],
    [
      'bytes after the end of a gzip',
      Buffer.concat([gzipSync(good), Buffer.from('garbage')]),
      /^varve: standard input: the compressed stream is broken/,
    ],
    ['a damaged header', changedByte(good, 10), /^varve: standard input: tar entry 0 at byte 0: its header sums up to/],
    ['a name that climbs out', tarBytes([{ name: '../evil', body: 'x' }]), /\.\.\/evil/],
    ['a hardlink that climbs out', tarBytes([{ name: 'l', type: 'hardlink', link: '../../etc/shadow' }]), /shadow/],
    ['a hardlink to nothing', tarBytes([{ name: 'l', type: 'hardlink', link: 'nothing' }]), /nothing/],
    ['an empty whiteout', tarBytes([{ name: 'd/.wh.' }]), /\.wh\./],
    ['a whiteout of the parent', tarBytes([{ name: 'd/.wh...' }]), /\.wh\./],
    [
      'a file where the same layer needs a directory',
      tarBytes([
        { name: 'd', body: 'x' },
        { name: 'd/f', body: 'x' },
      ]),
      /d\/f|"d"/,
    ],
    ['a symlink to nowhere at all', tarBytes([{ name: 'l', type: 'symlink', link: '' }]), /"l"|symlink/],
  ])('refuses %s', async (_what, bytes, says) => {
    await expectRefusal(() => varve.with({ input: bytes }, 'commit', '-', '-m', 'never'), {
      exit: 1,
      code: 'LAYER_INVALID',
      says,
    });
  });

  it('refuses a hardlink to a file that only a lower layer could have', async () => {
    const bytes = tarBytes([{ name: 'l', type: 'hardlink', link: 'etc/not-there' }]);
    await expectRefusal(() => varve.with({ input: bytes }, 'commit', '-', '-m', 'never'), {
      exit: 1,
      code: 'LAYER_INVALID',
      says: /etc\/not-there/,
    });
  });
});

describe('names and revisions', () => {
  const missing = 'f00dfacef00dface';
  it.each<[string, () => string[], number, string, RegExp]>([
    ['an unknown branch', () => ['log', 'maim'], 3, 'REF_UNKNOWN', /"maim"[\s\S]*did you mean.*main/],
    ['an unknown id', () => ['show', missing], 3, 'COMMIT_UNKNOWN|REF_UNKNOWN', new RegExp(missing)],
    ['an id of three digits', () => ['show', tip.slice(0, 3)], 3, 'REF_UNKNOWN', /./],
    ['more generations than there are', () => ['show', 'main~99'], 3, 'COMMIT_UNKNOWN', /main~99/],
    ['a parent that is not there', () => ['show', 'main^2'], 3, 'COMMIT_UNKNOWN', /parent/],
    ['more moves than there were', () => ['show', 'main@{99}'], 3, 'COMMIT_UNKNOWN', /99/],
    ['a revision that is none', () => ['show', 'main~x'], 2, 'NAME_INVALID', /character/],
    ['an unknown v1 id', () => ['show', `v1:${missing}`], 3, 'COMMIT_UNKNOWN', new RegExp(missing)],
    ['an unknown repository', () => ['log', '--repo', 'nobody/here'], 3, 'REPOSITORY_UNKNOWN', /nobody\/here/],
    ['a repository name that is none', () => ['init', 'Not/A/Name'], 2, 'NAME_INVALID', /Not\/A\/Name/],
    ['a checkout of an unknown revision', () => ['checkout', 'nowhere', '-o', '-'], 3, 'REF_UNKNOWN', /nowhere/],
    ['a rollback of a ref that is not there', () => ['rollback', 'gone', '--to', 'main'], 3, 'REF_UNKNOWN', /gone/],
    [
      'a commit on a branch that is not there',
      () => ['commit', '--empty', '-m', 'x', '-b', 'gone'],
      3,
      'REF_UNKNOWN',
      /gone/,
    ],
    [
      'a label without a value',
      () => ['commit', '--empty', '-m', 'x', '--label', 'ci'],
      2,
      'REQUEST_INVALID',
      /key=value/,
    ],
    [
      'a time that is none',
      () => ['commit', '--empty', '-m', 'x', '--time', 'yesterday'],
      2,
      'REQUEST_INVALID',
      /yesterday/,
    ],
    [
      'a message that is too long',
      () => ['commit', '--empty', '-m', 'x'.repeat(70_000)],
      1,
      'LIMIT_EXCEEDED|COMMIT_INVALID',
      /bytes/,
    ],
  ])('refuses %s', async (_what, args, exit, code, says) => {
    await expectRefusal(() => varve(...args()), { exit, code, says });
  });

  it('refuses a short id that means several commits, and lists them', async () => {
    // Four digits of an id collide by the birthday paradox after a few hundred commits; here they are sought.
    await varve('init', 'many');
    const seen = new Map<string, string>();
    let ambiguous: string | undefined;
    const batch = (from: number) =>
      Promise.all(
        Array.from({ length: 16 }, async (_, i) => {
          const branch = `b${from + i}`;
          await post(`repos/many/refs/${encodeURIComponent(`refs/heads/${branch}`)}`, 'PUT', { to: 'main' });
          const made = (await post(`repos/many/branches/${branch}/commits?message=${branch}`, 'POST')) as {
            commit: string;
          };
          return made.commit;
        }),
      );
    for (let from = 0; ambiguous === undefined && from < 2_000; from += 16) {
      for (const id of await batch(from)) {
        if (seen.has(id.slice(0, 4))) ambiguous = id.slice(0, 4);
        seen.set(id.slice(0, 4), id);
      }
    }
    expect(ambiguous).toBeDefined();
    const ran = await varve('show', ambiguous!, '--repo', 'many');
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('REVISION_AMBIGUOUS');
    expect(ran.stderr).toContain(seen.get(ambiguous!)!.slice(0, 12));
  });
});

async function post(path: string, method: string, json?: unknown): Promise<unknown> {
  const response = await fetch(`${server.url}/api/v1/${path}`, {
    method,
    ...(json === undefined ? {} : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
