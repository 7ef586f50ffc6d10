import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isVarveError } from '#core/error';
import { extractRootfs } from '../../apps/cli/src/extract/extract-rootfs.js';
import { tarBytes, type BuiltEntry } from '../fixture/tar-bytes.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'varve-extract-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const isRoot = process.geteuid?.() === 0;

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 4096) yield bytes.subarray(at, at + 4096);
}

function extract(items: readonly BuiltEntry[], directory = join(folder, 'out')) {
  return extractRootfs(pieces(tarBytes(items)), directory);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing was refused',
    (error: unknown) => (isVarveError(error) ? `${error.code}: ${error.message}` : String(error)),
  );
}

it('makes files, directories, links and their modes, owners and times', async () => {
  const report = await extract([
    { name: './', type: 'directory', mode: 0o711, mtime: 1_000_000_000 },
    { name: 'etc/', type: 'directory', mode: 0o500, mtime: 1_100_000_000, uid: 7, gid: 8 },
    { name: 'etc/motd', body: 'hello\n', mode: 0o4640, uid: 7, gid: 8, mtime: 1_200_000_000 },
    { name: 'etc/again', type: 'hardlink', link: 'etc/motd' },
    { name: 'etc/link', type: 'symlink', link: '/nowhere/at/all', uid: 7, gid: 8, mtime: 1_300_000_000 },
  ]);
  const out = join(folder, 'out');
  expect(fs.readFileSync(join(out, 'etc/motd'), 'utf8')).toBe('hello\n');
  expect(fs.statSync(join(out, 'etc/again')).ino).toBe(fs.statSync(join(out, 'etc/motd')).ino);
  expect(fs.readlinkSync(join(out, 'etc/link'))).toBe('/nowhere/at/all');
  expect(fs.lstatSync(join(out, 'etc/link')).mtimeMs).toBe(1_300_000_000_000);
  expect(fs.statSync(join(out, 'etc/motd')).mtimeMs).toBe(1_200_000_000_000);
  expect(fs.statSync(join(out, 'etc')).mtimeMs).toBe(1_100_000_000_000);
  expect(fs.statSync(join(out, 'etc')).mode & 0o7777).toBe(0o500);
  expect(fs.statSync(out).mode & 0o7777).toBe(0o711);
  expect(report).toMatchObject({ entries: 5, bytes: 6, devicesNotMade: 0, xattrsNotSet: 0, timesNotExact: 0 });
  const { uid, mode } = fs.statSync(join(out, 'etc/motd'));
  // A plain user may give nothing away; then the set-id bit goes, and both are counted.
  expect({ uid, mode: mode & 0o7777, owners: report.ownersNotSet, setIds: report.setIdsCleared }).toEqual(
    isRoot
      ? { uid: 7, mode: 0o4640, owners: 0, setIds: 0 }
      : { uid: process.geteuid?.(), mode: 0o640, owners: 5, setIds: 1 },
  );
});

it('makes the directory itself as any new one, when the tar has no entry for it', async () => {
  await extract([{ name: 'f', body: 'x' }]);
  fs.mkdirSync(join(folder, 'new'));
  expect(fs.statSync(join(folder, 'out')).mode).toBe(fs.statSync(join(folder, 'new')).mode);
});

it('keeps names that are not UTF-8', async () => {
  const tar = tarBytes([{ name: 'aXXb', body: 'x' }]);
  // The name, and the sum of the header's bytes with it.
  tar.set([0xff, 0xfe], 1);
  const sum = Number.parseInt(tar.toString('latin1', 148, 154), 8) + 0xff + 0xfe - 2 * 'X'.charCodeAt(0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  await extractRootfs(pieces(tar), join(folder, 'out'));
  expect(fs.readdirSync(join(folder, 'out'), { encoding: 'buffer' })).toEqual([Buffer.from([0x61, 0xff, 0xfe, 0x62])]);
});

it('sets extended attributes, nanoseconds and times before 1970, and makes fifos and devices', async () => {
  const source = join(folder, 'source');
  fs.mkdirSync(source);
  fs.writeFileSync(join(source, 'a b'), 'x', { mode: 0o444 });
  fs.writeFileSync(join(source, 'old'), '');
  execFileSync('setfattr', ['-n', 'user.note', '-v', '0x00ff0a5c', join(source, 'a b')]);
  execFileSync('touch', ['-d', '1960-01-01T00:00:00.5Z', join(source, 'old')]);
  execFileSync('mkfifo', [join(source, 'pipe')]);
  if (isRoot) execFileSync('mknod', [join(source, 'null'), 'c', '1', '3']);
  const tar = execFileSync('tar', ['--format=posix', '--xattrs', '--xattrs-include=*', '-C', source, '-c', '.']);
  const report = await extractRootfs(pieces(tar), join(folder, 'out'));
  const out = join(folder, 'out');
  expect(execFileSync('getfattr', ['-e', 'hex', '-n', 'user.note', join(out, 'a b')]).toString()).toContain(
    '0x00ff0a5c',
  );
  expect(fs.statSync(join(out, 'a b')).mode & 0o777).toBe(0o444);
  expect(fs.statSync(join(out, 'old'), { bigint: true }).mtimeNs).toBe(-315_619_199_500_000_000n);
  expect(fs.statSync(join(out, 'pipe')).isFIFO()).toBe(true);
  if (isRoot) {
    const { rdev } = fs.statSync(join(out, 'null'));
    expect([rdev >> 8, rdev & 0xff]).toEqual([1, 3]);
  }
  expect(report).toMatchObject({ devicesNotMade: 0, xattrsNotSet: 0 });
});

it('counts the attributes that cannot be set instead of failing', async () => {
  const source = join(folder, 'source');
  fs.mkdirSync(source);
  fs.symlinkSync('x', join(source, 'link'));
  const tar = execFileSync('tar', ['--format=ustar', '-C', source, '-c', 'link']);
  // user.* on a symlink is refused by every Linux file system; tar itself would not write it.
  const withAttribute = Buffer.concat([paxHeader('SCHILY.xattr.user.x=1'), tar]);
  const report = await extractRootfs(pieces(withAttribute), join(folder, 'out'));
  expect(report).toMatchObject({ entries: 1, xattrsNotSet: 1 });
});

it.each<[string, BuiltEntry[]]>([
  ['climbs out with ..', [{ name: '../evil', body: 'x' }]],
  ['is absolute', [{ name: '/evil', body: 'x' }]],
  [
    'lies behind a symlink',
    [
      { name: 'd', type: 'symlink', link: '/tmp' },
      { name: 'd/evil', body: 'x' },
    ],
  ],
  [
    'is there twice',
    [
      { name: 'f', body: 'x' },
      { name: 'f', body: 'y' },
    ],
  ],
  [
    'writes through a symlink of its own name',
    [
      { name: 'f', type: 'symlink', link: '/tmp/evil' },
      { name: 'f', body: 'y' },
    ],
  ],
  ['links out of the tree', [{ name: 'f', type: 'hardlink', link: '../../etc/passwd' }]],
  [
    'links to a file behind a symlink',
    [
      { name: 'd', type: 'symlink', link: '/etc' },
      { name: 'f', type: 'hardlink', link: 'd/passwd' },
    ],
  ],
  ['links to nothing', [{ name: 'f', type: 'hardlink', link: 'nothing' }]],
  ['has no parent', [{ name: 'a/b', body: 'x' }]],
])('refuses an entry that %s, and leaves nothing', async (_why, items) => {
  expect(await codeOf(extract(items))).toContain('ARCHIVE_INVALID');
  expect(fs.readdirSync(folder)).toEqual([]);
});

it('leaves nothing of a tar that is cut short', async () => {
  const tar = tarBytes([
    { name: 'd/', type: 'directory', mode: 0 },
    { name: 'f', body: Buffer.alloc(10_000) },
  ]);
  expect(await codeOf(extractRootfs(pieces(tar.subarray(0, 6_000)), join(folder, 'out')))).toContain('ARCHIVE_INVALID');
  expect(fs.readdirSync(folder)).toEqual([]);
});

it('fills a directory that is empty, and refuses one that is not', async () => {
  const out = join(folder, 'out');
  fs.mkdirSync(out);
  await extract([{ name: 'f', body: 'x' }]);
  expect(fs.readdirSync(out)).toEqual(['f']);
  expect(await codeOf(extract([{ name: 'g', body: 'x' }]))).toMatch(/REQUEST_INVALID.*is not empty/);
  fs.writeFileSync(join(folder, 'file'), '');
  expect(await codeOf(extract([], join(folder, 'file')))).toMatch(/REQUEST_INVALID.*is not a directory/);
  expect(fs.readdirSync(folder).toSorted()).toEqual(['file', 'out']);
});

/** A pax header for the entry that follows, built by hand: GNU tar writes no such attribute. */
function paxHeader(record: string): Buffer {
  const length = record.length + 2;
  const digits = String(length + String(length).length).length;
  const line = `${length + digits} ${record}\n`;
  const tar = tarBytes([{ name: 'pax', body: line }]).subarray(0, 1024);
  const sum = Number.parseInt(tar.toString('latin1', 148, 154), 8) + 'x'.charCodeAt(0) - '0'.charCodeAt(0);
  tar.write('x', 156);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return tar;
}
