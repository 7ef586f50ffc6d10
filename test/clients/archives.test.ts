import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadReport } from '#client/answer';
import { archiveOf, type BuiltImage, ociArchive } from '../fixture/archive-builder.js';
import { layerOfTar } from '../fixture/layer-builder.js';
import { tarBytes } from '../fixture/tar-bytes.js';
import { type Workspace, workspace } from '../journey/harness/archives.js';
import { type Server, startServer } from '../journey/harness/server.js';
import { type Varve, varveAt } from '../journey/harness/varve.js';
import { listing, startDaemon, tool, unpackedListing, withStorage } from './tools.js';

/** Links, a hardlink into the layer below, a whiteout, an opaque directory, a file that becomes a directory. */
const image: BuiltImage = {
  steps: [
    {
      createdBy: 'base',
      layer: layerOfTar(
        tarBytes([
          { name: './', type: 'directory', mode: 0o755 },
          { name: 'etc/', type: 'directory', mode: 0o750 },
          { name: 'etc/motd', body: 'base', mode: 0o4755 },
          { name: 'etc/old', body: 'old' },
          { name: 'etc/twin', type: 'hardlink', link: 'etc/motd', mode: 0o4755 },
          { name: 'lib', type: 'symlink', link: 'usr/lib' },
          { name: 'usr/', type: 'directory' },
          { name: 'usr/lib/', type: 'directory' },
          { name: 'usr/lib/a', body: 'a'.repeat(70_000) },
          { name: 'was', body: 'a file' },
        ]),
        'gzip',
      ),
    },
    { createdBy: 'ENV A=1' },
    {
      createdBy: 'changes',
      layer: layerOfTar(
        tarBytes([
          { name: 'etc/', type: 'directory', mode: 0o755 },
          { name: 'etc/.wh.old', body: '' },
          { name: 'usr/lib/', type: 'directory' },
          { name: 'usr/lib/.wh..wh..opq', body: '' },
          { name: 'usr/lib/b', body: 'b' },
          { name: 'was/', type: 'directory' },
          { name: 'was/now', body: 'a directory' },
        ]),
        'gzip',
      ),
    },
  ],
  names: ['1'],
};

let server: Server;
let work: Workspace;
let varve: Varve;
let layout: string;
let dockerTar: string;
let expected: string;
beforeAll(async () => {
  [server, work] = await Promise.all([startServer(), workspace()]);
  varve = varveAt(server.url);
  layout = join(work.path, 'source');
  mkdirSync(layout);
  execFileSync('tar', ['-x', '-C', layout], { input: archiveOf(ociArchive([image])) });
  dockerTar = join(work.path, 'docker.tar');
  tool('skopeo', 'copy', `oci:${layout}:1`, `docker-archive:${dockerTar}:localhost/x:1`);
  expected = unpackedListing(`${layout}:1`, join(work.path, 'bundle'));
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

let serial = 0;
const at = (name: string): string => join(work.path, `${++serial}-${name}`);

/** Loads an archive and lists the files of its one image. */
async function treeOf(archive: string, tag = '1'): Promise<string> {
  const repo = `client/n${++serial}`;
  const report = await varve.json<LoadReport>('load', archive, '--repo', repo);
  expect(report.images).toHaveLength(1);
  const tar = at('rootfs.tar');
  await varve.json('checkout', tag, '-o', tar, '--repo', repo);
  return listing(tar);
}

it('the image is not trivial', () => {
  const paths = expected.trimEnd().split('\n').map((line) => line.split('\t', 1)[0]); // prettier-ignore
  expect(paths).toEqual(['etc', 'etc/motd', 'etc/twin', 'lib', 'usr', 'usr/lib', 'usr/lib/b', 'was', 'was/now']);
});

it('docker 20.10 save', async () => {
  const folder = at('docker');
  const stop = startDaemon('docker-up.sh', folder, 'vfs');
  try {
    const docker = (...args: readonly string[]): string => tool('docker', '-H', `unix://${folder}/docker.sock`, ...args);
    expect(docker('version', '--format', '{{.Server.Version}}')).toMatch(/^20\.10\./);
    docker('load', '-i', dockerTar);
    const saved = at('save.tar');
    docker('save', '-o', saved, 'localhost/x:1');
    expect(await treeOf(saved)).toBe(expected);
  } finally {
    stop();
  }
}); // prettier-ignore

describe('podman save', () => {
  it.each(['docker-archive', 'oci-archive'])('as %s', async (format) => {
    const podman = withStorage('podman', at('podman'));
    podman('load', '-i', dockerTar);
    const saved = at('save.tar');
    podman('save', '--format', format, '-o', saved, 'localhost/x:1');
    expect(await treeOf(saved)).toBe(expected);
  });
});

describe('skopeo copy', () => {
  it.each([
    ['docker-archive', [], 'x:1'],
    ['oci-archive', [], '1'],
    ['oci-archive', ['--dest-compress-format', 'zstd'], '1'],
    ['oci', ['--dest-compress-format', 'zstd'], '1'],
  ] as const)('to %s %p', async (form, options, name) => {
    const copy = at('copy');
    tool('skopeo', 'copy', ...options, `oci:${layout}:1`, `${form}:${copy}:${name}`);
    expect(await treeOf(copy)).toBe(expected);
  });
});

describe('buildah commit and push', () => {
  it.each(['docker-archive', 'oci-archive', 'oci'])('to %s', async (form) => {
    const buildah = withStorage('buildah', at('buildah'));
    buildah('pull', '-q', `docker-archive:${dockerTar}`);
    const container = buildah('from', '--pull-never', 'localhost/x:1').trim();
    buildah('copy', '-q', container, dockerTar, '/srv/copied');
    buildah('commit', '-q', container, 'localhost/y:1');
    const [pushed, twin] = [at('push'), at('twin')];
    buildah('push', '-q', 'localhost/y:1', `${form}:${pushed}:${form === 'docker-archive' ? 'localhost/y:1' : '1'}`);
    tool('skopeo', 'copy', `${form}:${pushed}${form === 'docker-archive' ? '' : ':1'}`, `oci:${twin}:1`);
    const unpacked = unpackedListing(`${twin}:1`, at('bundle'));
    expect(unpacked).toContain('srv/copied');
    expect(await treeOf(pushed)).toBe(unpacked);
  });
});

it('ctr images export', async () => {
  const folder = at('ctr');
  const stop = startDaemon('containerd-up.sh', folder);
  try {
    const ctr = (...args: readonly string[]): string => tool('ctr', '-a', join(folder, 'c.sock'), ...args);
    ctr('images', 'import', dockerTar);
    const [name = ''] = ctr('images', 'list', '-q').trim().split('\n');
    const exported = at('export.tar');
    ctr('images', 'export', exported, name);
    expect(await treeOf(exported)).toBe(expected);
  } finally {
    stop();
  }
});

it('umoci repack', async () => {
  const [bundle, again] = [at('bundle'), at('again')];
  const copy = at('layout');
  tool('skopeo', 'copy', `oci:${layout}:1`, `oci:${copy}:1`);
  tool('umoci', 'unpack', '--image', `${copy}:1`, bundle);
  writeFileSync(join(bundle, 'rootfs/etc/motd'), 'changed');
  execFileSync('rm', ['-r', join(bundle, 'rootfs/was')]);
  tool('umoci', 'repack', '--image', `${copy}:1`, bundle);
  tool('umoci', 'gc', '--layout', copy);
  const repacked = unpackedListing(`${copy}:1`, again);
  expect(repacked).not.toBe(expected);
  expect(await treeOf(copy)).toBe(repacked);
});
