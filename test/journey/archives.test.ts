import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ImportReport, LoadReport, ShownCommit } from '#client/answer';
import { digestOf, hexOf } from '#core/digest';
import * as schema from '#edge/rest/schema';
import {
  archiveOf,
  type BuiltImage,
  configOf,
  dockerArchive,
  manifestOf,
  ociArchive,
  ociMultiPlatformArchive,
  podmanArchive,
} from '../fixture/archive-builder.js';
import { emptyLayer, emptyLayerOfGnuTar, layer, recompressed } from '../fixture/layer-builder.js';
import { type BuiltEntry, tarBytes } from '../fixture/tar-bytes.js';
import { appImage, baseLayer, type Workspace, workspace } from './harness/archives.js';
import { type Server, startServer } from './harness/server.js';
import { storedIn } from './harness/stored.js';
import { type Varve, varveAt } from './harness/varve.js';

let server: Server;
let work: Workspace;
let varve: Varve;
beforeAll(async () => {
  [server, work] = await Promise.all([startServer(), workspace()]);
  varve = varveAt(server.url);
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

let serial = 0;
const freshRepo = (): string => `form/n${++serial}`;
const fileOf = (bytes: Uint8Array): Promise<string> => work.file(`${++serial}.tar`, bytes);
const own = process.arch === 'x64' ? 'amd64' : process.arch;
const other = own === 'amd64' ? 'arm64' : 'amd64';

describe('an image for several platforms', () => {
  const imageFor = (architecture: string): BuiltImage => ({
    steps: [{ layer: baseLayer }, { layer: layer({ arch: architecture }, 'gzip') }],
    names: [],
    architecture,
  });
  const indexed = (...architectures: readonly string[]): Buffer =>
    archiveOf(ociMultiPlatformArchive(architectures.map(imageFor), 'x:1'));
  const filesOf = (tar: Buffer): string => execFileSync('tar', ['-xO', 'arch'], { input: tar }).toString();

  it('is loaded whole, grouped by one commit, and checked out by platform', async () => {
    const repo = freshRepo();
    const report = await varve.json<LoadReport>('load', await fileOf(indexed(other, own)), '--repo', repo);
    schema.loaded.parse(report);
    expect(report.images).toMatchObject([{ refs: ['refs/tags/1'], layersNew: 3 }]);
    const shown = schema.shownCommit.parse(await varve.json('show', '1', '--repo', repo));
    expect(shown).toMatchObject({ parents: [], layers: [], base: 'empty', config: null, platform: null });
    expect(shown.index?.map(({ platform }) => platform.architecture)).toEqual([own, other].toSorted());

    const mine = await varve('checkout', '1', '-o', '-', '--repo', repo);
    expect(mine.stderr).toContain(`linux/${own} was taken`);
    expect(filesOf(mine.bytes)).toBe(own);
    const asked = await varve('checkout', '1', '-o', '-', '--repo', repo, '--platform', `linux/${other}`);
    expect([asked.stderr, filesOf(asked.bytes)]).toEqual(['', other]);
    const compared = await varve('diff', '1', '1', '--repo', repo);
    expect([compared.code, compared.stderr]).toEqual([2, expect.stringContaining('REVISION_AMBIGUOUS')]);
    const member = shown.index?.find(({ platform }) => platform.architecture === other)?.commit as string;
    expect(filesOf((await varve('checkout', member, '-o', '-', '--repo', repo)).bytes)).toBe(other);
  });

  it('takes no layer on top, but its images do', async () => {
    const repo = freshRepo();
    await varve.json('load', await fileOf(indexed(other, own)), '--repo', repo);
    await varve('branch', 'all', '1', '--repo', repo);
    const before = await storedIn(server.data);
    const commit = (branch: string) =>
      varve.with({ input: layer({ more: 'x' }).tar }, 'commit', '-', '-m', 'more', '-b', branch, '--repo', repo);
    const refused = await commit('all');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('(REVISION_AMBIGUOUS)') as string]);
    expect(await storedIn(server.data)).toEqual({ ...before, staging: [] });
    const { index } = await varve.json<ShownCommit>('show', '1', '--repo', repo);
    await varve('branch', 'one', index![0]!.commit, '--repo', repo);
    expect((await commit('one')).code).toBe(0);
  });

  it('has no files before it is said which one, and lists them', async () => {
    const repo = freshRepo();
    await varve.json('load', await fileOf(indexed('s390x', 'riscv64')), '--repo', repo);
    const ran = await varve.with({}, 'checkout', '1', '-o', '-', '--repo', repo);
    expect([ran.code, ran.bytes.length]).toEqual([2, 0]);
    expect(ran.stderr).toMatch(/REVISION_AMBIGUOUS/);
    expect(ran.stderr).toMatch(/linux\/riscv64, linux\/s390x/);
    const url = `${server.url}/api/v1/repos/${encodeURIComponent(repo)}/commits/1/rootfs.tar`;
    expect((await fetch(`${url}?platform=linux/s390x`)).status).toBe(200);
    expect((await fetch(`${url}?platform=linux/mips`)).status).toBe(404);
    expect((await fetch(`${url}?platform=linux`)).status).toBe(400);
  });

  it('is one image when one platform is asked for', async () => {
    const repo = freshRepo();
    const file = await fileOf(indexed(other, own));
    const report = await varve.json<LoadReport>('load', file, '--repo', repo, '--platform', `linux/${other}`);
    expect(report.images).toMatchObject([{ layers: 2, commits: 3 }]);
    const shown = await varve.json<ShownCommit>('show', '1', '--repo', repo);
    expect([shown.index, shown.platform?.architecture]).toEqual([null, other]);
    const ran = await varve.with({}, 'load', file, '--repo', repo, '--platform', 'linux/mips');
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('linux/mips') as string]);
  });
});

describe('odd images that are whole', () => {
  const loadedAs = async (items: readonly BuiltEntry[], repo = freshRepo()): Promise<LoadReport> =>
    varve.json<LoadReport>('load', await fileOf(archiveOf(items)), '--repo', repo);

  it.each<[string, BuiltImage, { commits: number; layers: number }]>([
    ['no layers', { steps: [], names: ['x:1'] }, { commits: 1, layers: 0 }],
    ['metadata alone', { steps: [{ createdBy: 'ENV A=1' }, { createdBy: 'CMD x' }], names: ['x:1'] }, { commits: 3, layers: 0 }],
    ['empty layers of docker and of GNU tar', { steps: [{ layer: emptyLayer }, { layer: emptyLayerOfGnuTar }, { layer: baseLayer }], names: ['x:1'] }, { commits: 4, layers: 3 }],
    ['no history', { ...appImage, names: ['x:1'], config: { history: [] } }, { commits: 3, layers: 2 }],
    ['a history of other steps', { ...appImage, names: ['x:1'], config: { history: [{ created_by: 'one' }] } }, { commits: 3, layers: 2 }],
  ])('%s', async (_title, image, expected) => {
    for (const items of [dockerArchive([image]), podmanArchive(image), ociArchive([image])]) {
      const repo = freshRepo();
      expect((await loadedAs(items, repo)).images).toMatchObject([expected]);
      expect((await varve('checkout', '1', '-o', '-', '--repo', repo)).code).toBe(0);
    }
  }); // prettier-ignore

  it('zstd layers, of several frames and with skippable ones', async () => {
    const half = baseLayer.tar.length >> 1;
    const skippable = Buffer.from('502a4d180400000061626364', 'hex');
    const frames = [zstdCompressSync(baseLayer.tar.subarray(0, half)), skippable, zstdCompressSync(baseLayer.tar.subarray(half))];
    const blob = Buffer.concat(frames);
    const zstd = { ...recompressed(baseLayer, 'zstd'), blob, digest: digestOf(blob) };
    const repo = freshRepo();
    await loadedAs(ociArchive([{ steps: [{ layer: zstd }], names: ['x:1'] }]), repo);
    const plain = freshRepo();
    await loadedAs(ociArchive([{ steps: [{ layer: baseLayer }], names: ['x:1'] }]), plain);
    const hashOf = async (one: string): Promise<string> =>
      createHash('sha256').update((await varve('checkout', '1', '-o', '-', '--repo', one)).bytes).digest('hex');
    expect(await hashOf(repo)).toBe(await hashOf(plain));
  }); // prettier-ignore

  it('several images in one archive, and entries in any order', async () => {
    const twin: BuiltImage = { ...appImage, architecture: 'arm64', names: ['twin:1'] };
    const items = dockerArchive([{ ...appImage, names: ['form/app:1'] }, twin]).toReversed();
    const report = await varve.json<LoadReport>('load', await fileOf(archiveOf(items)));
    expect(report.images.map(({ repo }) => repo).toSorted()).toEqual(['form/app', 'twin']);
  });

  it('blobs that nothing names, which are told and not kept', async () => {
    const stray = layer({ stray: 'x' }, 'gzip');
    const items = [...ociArchive([{ ...appImage, names: ['x:1'] }]), { name: `blobs/sha256/${hexOf(stray.digest)}`, body: stray.blob }];
    const repo = freshRepo();
    const { warnings } = await loadedAs(items, repo);
    expect(warnings.join()).toMatch(/named by no image.*left out/);
    expect(warnings.join()).toContain(hexOf(stray.digest));
    const ran = await varve.with({}, 'checkout', `sha256:${hexOf(stray.digest)}`, '-o', '-', '--repo', repo);
    expect(ran.code).toBe(3);
  }); // prettier-ignore

  it('an unpacked docker archive with links, as a directory', async () => {
    const folder = join(work.path, `unpacked-${++serial}`);
    execFileSync('mkdir', [folder]);
    execFileSync('tar', ['-x', '-C', folder], { input: archiveOf(podmanArchive({ ...appImage, names: ['x:1'] })) });
    const repo = freshRepo();
    const report = await varve.json<LoadReport>('load', folder, '--repo', repo);
    expect(report.images).toMatchObject([{ commits: 4, layers: 2 }]);
    symlinkSync('../../../../etc/passwd', join(folder, 'stray'));
    const ran = await varve.with({}, 'load', folder, '--repo', repo);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/stray.*ARCHIVE_INVALID/s) as string]);
  });
});

describe('archives that are refused', () => {
  const zipped = recompressed(baseLayer, 'gzip');
  const image: BuiltImage = { steps: [{ layer: zipped }], names: ['x:1'] };
  /** The layout of the image with other bytes for its manifest, named by their digest. */
  const withManifest = (change: (manifest: string) => string, left: RegExp = /^$/): Buffer => {
    const [before, bytes] = [manifestOf(image), Buffer.from(change(manifestOf(image).toString()))];
    const [from, to] = [before, bytes].map((each) => `blobs/sha256/${hexOf(digestOf(each))}`);
    const items = ociArchive([image]).map((item) => {
      if (item.name === from) return { ...item, name: to as string, body: bytes };
      if (item.name !== 'index.json') return item;
      const index = String(item.body).replace(digestOf(before), digestOf(bytes));
      return { ...item, body: index.replace(`"size":${before.length}`, `"size":${bytes.length}`) };
    });
    return archiveOf(items.filter(({ name }) => !left.test(name)));
  };
  const layerType = (type: string, left?: RegExp): Buffer =>
    withManifest((text) => text.replace(zipped.mediaType, type), left);
  const without = (items: readonly BuiltEntry[], name: string): Buffer =>
    archiveOf(items.filter((item) => !item.name.includes(name)));
  const link = (name: string, target: string): BuiltEntry => ({ name, type: 'symlink', link: target });
  const docker = dockerArchive([{ ...appImage, names: ['x:1'] }]);
  const foreignType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';

  it.each<[string, Buffer, string, RegExp]>([
    ['an encrypted layer', layerType('application/vnd.oci.image.layer.v1.tar+gzip+encrypted'), 'UNSUPPORTED', /encrypted/],
    ['a layer of an unknown type', layerType('application/vnd.example.thing'), 'UNSUPPORTED', /vnd\.example\.thing/],
    ['a foreign layer without its bytes', layerType(foreignType, new RegExp(hexOf(zipped.digest))), 'BLOB_MISSING', /foreign.*elsewhere/],
    ['an artifact without a root filesystem', withManifest((text) => text.replace('image.config.v1', 'empty.v1')), 'UNSUPPORTED', /no image/],
    ['a manifest that is also an index', withManifest((text) => text.replace('{', '{"manifests":[],')), 'MANIFEST_INVALID', /manifests/],
    ['a config that is not there', without(ociArchive([image]), hexOf(digestOf(configOf(image)))), 'BLOB_MISSING', /config sha256/],
    ['a config of other layers', archiveOf(ociArchive([{ ...image, config: { rootfs: { type: 'layers', diff_ids: [digestOf('x')] } } }])), 'DIGEST_MISMATCH', /diff_ids/],
    ['a config of more layers', archiveOf(ociArchive([{ ...image, config: { rootfs: { type: 'layers', diff_ids: [zipped.diffId, zipped.diffId] } } }])), 'MANIFEST_INVALID', /2 layers/],
    ['two entries of one name', archiveOf([...docker, { name: 'manifest.json', body: '[]' }]), 'ARCHIVE_INVALID', /manifest\.json/],
    ['a link out of the archive', archiveOf([...docker, link('up', '../../x')]), 'ARCHIVE_INVALID', /up/],
    ['a link to the root of the machine', archiveOf([...docker, link('up', '/etc/passwd')]), 'ARCHIVE_INVALID', /\/etc\/passwd/],
    ['links in a circle', archiveOf([...docker, link('a', 'b'), link('b', 'a')]), 'ARCHIVE_INVALID', /links/],
    ['a link to nothing', archiveOf([...docker, link('a', 'nowhere')]), 'ARCHIVE_INVALID', /nowhere/],
  ])('%s', async (_title, bytes, code, says) => {
    const [before, stored] = [await varve.json('status'), await storedIn(server.data)];
    const ran = await varve.with({}, 'load', await fileOf(bytes), '--repo', freshRepo());
    expect([ran.code, ran.stdout]).toEqual([1, '']);
    expect(ran.stderr).toContain(`(${code})`);
    expect(ran.stderr).toMatch(says);
    expect(await varve.json('status')).toEqual(before);
    expect(await storedIn(server.data)).toEqual({ ...stored, staging: [] });
  }); // prettier-ignore
});

describe('a root filesystem', () => {
  const rootfs = tarBytes([
    { name: 'bin/', type: 'directory' },
    { name: 'bin/sh', body: 'shell', mode: 0o755 },
  ]);
  const imported = (name: string, ...more: readonly string[]): Promise<ImportReport> =>
    varve.json<ImportReport>('import', join(work.path, 'rootfs.tar'), name, '--time', '2026-01-31T00:00:00Z', ...more);
  beforeAll(() => work.file('rootfs.tar', rootfs));

  it('becomes an image of one layer, with the config that was asked for', async () => {
    const repo = freshRepo();
    const changes = ['CMD ["/bin/sh"]', 'ENV A=1 B="2 3"', 'EXPOSE 80', 'LABEL a=b', 'WORKDIR /srv'];
    const told = await imported(`${repo}:1.0`, ...changes.flatMap((each) => ['--change', each]), '-m', 'first cut');
    schema.loaded.parse(told);
    expect(told.images).toMatchObject([{ repo, refs: ['refs/tags/1.0'], commits: 2, layers: 1 }]);
    const shown = await varve.json<ShownCommit>('show', '1.0', '--repo', repo);
    expect([shown.config, shown.time, shown.platform?.architecture]).toEqual([told.config, '2026-01-31T00:00:00Z', own]);
    expect(shown.configuration).toMatchObject({
      config: { Cmd: ['/bin/sh'], Env: ['A=1', 'B=2 3'], ExposedPorts: { '80/tcp': {} }, Labels: { a: 'b' }, WorkingDir: '/srv' },
      history: [{ comment: 'first cut', created: '2026-01-31T00:00:00Z' }],
      os: 'linux',
    });
    const tar = (await varve('checkout', '1.0', '-o', '-', '--repo', repo)).bytes;
    expect(execFileSync('tar', ['-t'], { input: tar }).toString()).toBe('bin/\nbin/sh\n');
  }); // prettier-ignore

  it('is the same commit wherever it goes, and another for each encoding of nothing but its layer', async () => {
    const [a, b] = [freshRepo(), freshRepo()];
    const first = await imported(a);
    expect((await imported(b)).images[0]?.commit).toBe(first.images[0]?.commit);
    expect((await imported(a)).repositories).toMatchObject([{ commitsNew: 0, bytesStored: 0 }]);
    for (const bytes of [gzipSync(rootfs), zstdCompressSync(rootfs)]) {
      const ran = await varve.with({ input: bytes }, 'import', '-', freshRepo(), '--time', '2026-01-31T00:00:00Z', '--json');
      expect((JSON.parse(ran.stdout) as ImportReport).images[0]?.commit).toBe(first.images[0]?.commit);
    }
  }); // prettier-ignore

  it('is refused with an instruction or a time that is none, a tag that is elsewhere, or no tar', async () => {
    const repo = freshRepo();
    const run = (...args: readonly string[]) =>
      varve.with({}, 'import', join(work.path, 'rootfs.tar'), `${repo}:1`, ...args);
    const [change, time] = [await run('--change', 'COPY a b'), await run('--time', 'noon')];
    expect([change.code, change.stderr]).toEqual([2, expect.stringMatching(/COPY.*REQUEST_INVALID/s) as string]);
    expect([time.code, time.stderr]).toEqual([2, expect.stringContaining('noon') as string]);
    expect((await varve.with({ input: Buffer.from('hello') }, 'import', '-', repo)).code).toBe(1);
    await imported(`${repo}:1`);
    const moved = await run('-m', 'other');
    expect([moved.code, moved.stderr]).toEqual([4, expect.stringContaining('TAG_IMMUTABLE') as string]);
    expect((await run('-m', 'other', '--move-tags')).code).toBe(0);
  });
});
