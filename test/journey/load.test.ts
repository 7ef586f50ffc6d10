import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { LoadReport, LoggedCommit, Ref, ReflogMove, TreeNode } from '#client/answer';
import * as schema from '#edge/rest/schema';
import { archiveOf, dockerArchive } from '../fixture/archive-builder.js';
import { gzipInTwoMembers, layer, layerOfTar } from '../fixture/layer-builder.js';
import { appImage, layouts, v1Tip, webImage, type Workspace, workspace } from './harness/archives.js';
import { cleanEnvironment, type Server, startServer } from './harness/server.js';
import { type Varve, varveAt, varveCommand } from './harness/varve.js';

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

/** Each test has repositories of its own. */
let serial = 0;
const freshRepo = (): string => `case/n${++serial}`;

it.each(layouts)('loads $name, and adds nothing the second time', async ({ name, bytes, commits }) => {
  const repo = freshRepo();
  const file = await work.file(`${serial}.tar`, bytes);
  const first = schema.loaded.parse(await varve.json<LoadReport>('load', file, '--repo', repo));
  expect(first.images).toHaveLength(1);
  expect(first.images[0]).toMatchObject({ repo, commits, commitsNew: commits });
  expect(first.repositories).toMatchObject([{ repo, isNew: true, commitsNew: commits }]);
  const refs = await varve.json<Ref[]>('refs', '--repo', repo);
  expect(refs.map((ref) => ref.ref)).toContain('refs/tags/latest');
  const before = await varve.json<{ partitions: unknown }>('status');

  const second = await varve.json<LoadReport>('load', file, '--repo', repo);
  expect(second.repositories).toMatchObject([{ isNew: false, commitsNew: 0, layersNew: 0, bytesStored: 0 }]);
  expect(second.images[0]?.commit).toBe(first.images[0]?.commit);
  expect((await varve.json<{ partitions: unknown }>('status')).partitions).toEqual(before.partitions);

  // Whatever the layout, the files are the same.
  const { bytes: tar } = await varve('checkout', 'latest', '-o', '-', '--repo', repo);
  const names = execFileSync('tar', ['-t'], { input: tar }).toString().split('\n').filter(Boolean);
  expect(names).toEqual(['app/', 'app/run', 'bin/', 'bin/sh', 'etc/', 'etc/motd']);
  expect(name).not.toBe('');
});

it('shares the commits of a common base between two archives, and draws it once', async () => {
  const [app, web] = [appImage, webImage].map((image, i) =>
    work.file(`share${i}.tar`, archiveOf(dockerArchive([image]))),
  );
  await varve.json('load', await app!);
  await varve.json('load', await web!);
  const nodes = (await varve.json<TreeNode[]>('images', '--tree')).filter(({ places }) =>
    places.some(({ repo }) => repo === 'app' || repo === 'web'),
  );
  schema.treeView.parse({ nodes });
  const shared = nodes.filter(({ places }) =>
    ['app', 'web'].every((repo) => places.some((place) => place.repo === repo)),
  );
  expect(shared).toHaveLength(2);
  const drawn = (await varve('images', '--tree')).stdout.split('\n');
  for (const { id } of nodes) expect(drawn.filter((line) => line.includes(id.slice(0, 12)))).toHaveLength(1);
  expect(drawn.find((line) => line.includes('Tags:') && line.includes('app:1.0'))).toMatch(
    /^ *[│ ]*[└├]─[0-9a-f]{12} Virtual Size: [\d.]+ kB Own Size: 0 B Tags: .*app:latest/,
  );
});

it('keeps the ids of docker 1.x as names of commits, each with its own json as configuration', async () => {
  const repo = freshRepo();
  await varve.json('load', await work.file('v1.tar', layouts[0]!.bytes), '--repo', repo);
  const tip = schema.shownCommit.parse(await varve.json('show', `v1:${v1Tip}`, '--repo', repo));
  expect(tip.origin).toEqual({ v1Id: v1Tip });
  expect(tip.configuration).toMatchObject({ id: v1Tip, docker_version: '1.6.2' });
  expect((await varve.json<LoggedCommit>('show', v1Tip.slice(0, 8), '--repo', repo)).id).toBe(tip.id);
  const log = await varve.lines<LoggedCommit>('log', 'latest', '--repo', repo);
  expect(log.map(({ depth }) => depth)).toEqual([2, 1, 0]);
});

it('takes an archive from standard input, compressed, or as a directory', async () => {
  const { bytes } = layouts[1]!;
  const commits = new Set<string>();
  for (const input of [bytes, gzipSync(bytes), zstdCompressSync(bytes)]) {
    const ran = await varve.with({ input }, 'load', '-', '--repo', freshRepo(), '--json');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    commits.add((JSON.parse(ran.stdout) as LoadReport).images[0]!.commit);
  }
  const folder = join(work.path, 'unpacked');
  mkdirSync(folder);
  execFileSync('tar', ['-x', '-C', folder], { input: bytes });
  commits.add((await varve.json<LoadReport>('load', folder, '--repo', freshRepo())).images[0]!.commit);
  expect(commits.size).toBe(1);
});

it('gives a layer the same commit however it was compressed', async () => {
  const plain = layer({ f: 'x'.repeat(5000) });
  const ids = new Set<string>();
  for (const built of [
    plain,
    layerOfTar(plain.tar, 'gzip'),
    layerOfTar(plain.tar, 'zstd'),
    { ...plain, blob: gzipInTwoMembers(plain.tar) },
  ]) {
    const repo = freshRepo();
    await varve('init', repo);
    const ran = await varve.with(
      { input: built.blob, env: { SOURCE_DATE_EPOCH: '0' } },
      'commit',
      '-',
      '-m',
      'x',
      '--repo',
      repo,
      '--json',
    );
    ids.add((JSON.parse(ran.stdout) as { commit: string }).commit);
  }
  expect(ids.size).toBe(1);
});

it('leaves a tag where it is, unless it is told to move tags', async () => {
  const repo = freshRepo();
  const [first, second] = await Promise.all([
    work.file('tag1.tar', archiveOf(dockerArchive([{ ...appImage, names: ['app:latest'] }]))),
    work.file('tag2.tar', archiveOf(dockerArchive([{ ...webImage, names: ['web:latest'] }]))),
  ]);
  const before = await varve.json<LoadReport>('load', first, '--repo', repo);
  const refused = await varve('load', second, '--repo', repo);
  expect(refused).toMatchObject({ code: 4, stdout: '' });
  expect(refused.stderr).toMatch(/TAG_IMMUTABLE[\s\S]*--move-tags/);
  const moved = await varve.json<LoadReport>('load', second, '--repo', repo, '--move-tags');
  const reflog = await varve.lines<ReflogMove>('reflog', 'latest', '--repo', repo);
  expect(reflog.map(({ from, to, operation }) => ({ from, to, operation }))).toEqual([
    { from: before.images[0]!.commit, to: moved.images[0]!.commit, operation: 'load' },
    { from: null, to: before.images[0]!.commit, operation: 'load' },
  ]);
  schema.reflog.parse({ moves: reflog, before: null });
});

it('asks for a repository when the archive names none, and then puts the image on main', async () => {
  const nameless = await work.file('nameless.tar', archiveOf(dockerArchive([{ ...appImage, names: [] }])));
  const asked = await varve('load', nameless);
  expect(asked.code).toBe(2);
  expect(asked.stderr).toMatch(/which repository[\s\S]*--repo/);
  const repo = freshRepo();
  await varve.json('load', nameless, '--repo', repo);
  expect((await varve.json<Ref[]>('refs', '--repo', repo)).map(({ ref }) => ref)).toEqual(['refs/heads/main']);
});

it('shows progress on a terminal, and none in a pipe, under --json or --quiet', async () => {
  const repo = freshRepo();
  const file = await work.file('progress.tar', layouts[1]!.bytes);
  expect((await varve('load', file, '--repo', repo)).stderr).toBe('');
  const onTerminal = (...options: string[]): string =>
    spawnSync('script', ['-qec', [varveCommand, 'load', file, '--repo', repo, ...options].join(' '), '/dev/null'], {
      env: cleanEnvironment({ VARVE_SERVER: server.url, TERM: 'xterm' }),
    }).stdout.toString();
  expect(onTerminal()).toMatch(/load \S+progress\.tar {2}\[[=> ]{24}\] {2}[\d.]+ k?B of [\d.]+ kB {2}[\d.]+ k?M?B\/s/);
  expect(onTerminal('--quiet')).not.toContain('B/s');
  expect(onTerminal('--json')).not.toContain('B/s');
});

it('loads several images of one archive, each where its name says', async () => {
  const both = { ...appImage, names: ['multi/app:1'] };
  const other = { ...webImage, names: ['multi/web:1', 'multi/web:2'] };
  const report = await varve.json<LoadReport>(
    'load',
    await work.file('multi.tar', archiveOf(dockerArchive([both, other]))),
  );
  expect(report.images.map(({ repo, refs }) => [repo, refs])).toEqual([
    ['multi/app', ['refs/tags/1']],
    ['multi/web', ['refs/tags/1', 'refs/tags/2']],
  ]);
});
