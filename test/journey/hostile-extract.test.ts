import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { extractRootfs } from '../../apps/cli/src/extract/extract-rootfs.js';
import { layer } from '../fixture/layer-builder.js';
import { tarBytes } from '../fixture/tar-bytes.js';
import { Random } from '../oracle/random.js';
import { entryBlocks } from '../oracle/tar-forms.js';
import { type Workspace, workspace } from './harness/archives.js';
import { isRoot, nodeOf, readableProject } from './harness/plain-user.js';
import { type Server, startServer } from './harness/server.js';
import { type Ran, type Varve, varveAt } from './harness/varve.js';

const nobody = 65_534;
const firstSeed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000_000);
const tarsAsked = Number(process.env['VARVE_TEST_TARS'] ?? 150);

let server: Server;
let work: Workspace;
let varve: Varve;
let project: ReturnType<typeof readableProject>;
/** What no extraction may change: a folder beside the one that is extracted to, and open to everyone. */
let outside = '';
let untouched: string[] = [];

beforeAll(async () => {
  [server, work] = await Promise.all([startServer(), workspace()]);
  varve = varveAt(server.url);
  project = readableProject();
  fs.chmodSync(work.path, 0o777);
  outside = join(work.path, 'outside');
  fs.mkdirSync(join(outside, 'd'), { recursive: true });
  for (const path of ['passwd', 'd/passwd', 'd/x']) fs.writeFileSync(join(outside, path), 'as it was');
  for (const path of ['', 'd']) fs.chmodSync(join(outside, path), 0o777);
  for (const path of ['passwd', 'd/passwd', 'd/x']) fs.chmodSync(join(outside, path), 0o666);
  untouched = stateOf(outside);
});
afterEach(() => {
  expect(stateOf(outside)).toEqual(untouched);
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
  project?.remove();
});

/** Everything below a folder: names, modes, owners, times, links and content. */
function stateOf(folder: string): string[] {
  const names = ['.', ...fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })].toSorted();
  return names.map((name) => {
    const path = join(folder, name);
    const { mode, uid, gid, nlink, mtimeNs, ctimeNs } = fs.lstatSync(path, { bigint: true });
    const content = (Number(mode) & fs.constants.S_IFMT) === fs.constants.S_IFREG ? fs.readFileSync(path, 'utf8') : '';
    return [name, mode, uid, gid, nlink, mtimeNs, ctimeNs, content].join(' ');
  });
}

async function committed(repo: string, ...layers: readonly Buffer[]): Promise<void> {
  await varve('init', repo);
  for (const input of layers) {
    const { code, stderr } = await varve.with({ input }, 'commit', '-', '-m', 'a layer', '--repo', repo);
    if (code !== 0) throw new Error(stderr);
  }
}

describe('layers that reach for what is outside', () => {
  it('through symlinks of earlier layers, become directories of the tree', async () => {
    await committed(
      'links',
      layer({ up: { link: '../outside' }, absolute: { link: outside }, 'a/': null, 'a/loop': { link: 'loop' } }).tar,
      layer({ 'up/passwd': 'evil', 'absolute/passwd': 'evil', 'a/loop/x': 'evil' }).tar,
    );
    const out = join(work.path, 'links');
    expect((await varve('checkout', 'main', '--dir', out, '--repo', 'links')).code).toBe(0);
    expect(fs.readFileSync(join(out, 'up/passwd'), 'utf8')).toBe('evil');
    expect(fs.lstatSync(join(out, 'absolute')).isDirectory()).toBe(true);
  });

  it('through symlinks of the same layer, stay inside as if the tree were the root', async () => {
    const tar = tarBytes([
      { name: 'up', type: 'symlink', link: `../../..${outside}` },
      { name: 'up/passwd', body: 'evil' },
      { name: 'hard', type: 'hardlink', link: 'up/passwd' },
    ]);
    await committed('same', tar);
    const out = join(work.path, 'same');
    expect((await varve('checkout', 'main', '--dir', out, '--repo', 'same')).code).toBe(0);
    expect(fs.readFileSync(join(out, outside, 'passwd'), 'utf8')).toBe('evil');
    expect(fs.statSync(join(out, 'hard')).nlink).toBe(2);
  });

  it.each([
    ['a name', [{ name: '../outside/passwd', body: 'evil' }]],
    ['a hardlink', [{ name: 'x', type: 'hardlink' as const, link: '../outside/passwd' }]],
  ])('by %s with .., are refused when they are committed', async (what, items) => {
    const repo = `dots-${what.replaceAll(' ', '-')}`;
    await varve('init', repo);
    const input = tarBytes(items);
    const { code, stderr } = await varve.with({ input }, 'commit', '-', '-m', 'x', '--repo', repo);
    expect({ code, refused: stderr.includes('LAYER_INVALID') }).toEqual({ code: 1, refused: true });
  });

  it('find nothing to write over: a directory with content is refused, one that is a symlink is followed once', async () => {
    await committed('over', layer({ passwd: 'evil', 'd/': null, 'd/passwd': 'evil' }).tar);
    const full = await varve('checkout', 'main', '--dir', outside, '--repo', 'over');
    expect({ code: full.code, says: full.stderr.includes('is not empty') }).toEqual({ code: 2, says: true });
    const link = join(work.path, 'to-outside');
    fs.symlinkSync(outside, link);
    expect((await varve('checkout', 'main', '--dir', link, '--repo', 'over')).code).toBe(2);
  });
});

describe(`${tarsAsked} tars of a server that cannot be trusted (VARVE_TEST_SEED=${firstSeed})`, () => {
  it('are extracted inside or refused with a code, and leave nothing: as this user', () => expectInside(undefined));
  const asNobody = isRoot ? it : it.skip;
  asNobody(`the same, as a plain user${isRoot ? '' : ' (needs root to become one)'}`, () => expectInside(nobody));
});

/** Tars of entries that point everywhere, also such as our own server would never send. */
function expectInside(user: number | undefined): void {
  const folder = fs.mkdtempSync(join(work.path, 'tars-'));
  for (let i = 0; i < tarsAsked; i += 1) {
    fs.writeFileSync(join(folder, `${String(i).padStart(5, '0')}.tar`), reachingTar(new Random(firstSeed + i)));
  }
  if (user !== undefined) fs.chownSync(folder, user, user);
  const script = join(project.root, 'test/journey/harness/extract-many.mjs');
  const ran = spawnSync(nodeOf(project.root), [script, folder], {
    ...(user === undefined ? {} : { uid: user, gid: user }),
    maxBuffer: 1 << 28,
  });
  const outcomes = ran.stdout.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line) as Told); // prettier-ignore
  expect({ outcomes: outcomes.length, stderr: ran.stderr.toString() }).toEqual({ outcomes: tarsAsked, stderr: '' });
  const codes = new Set(outcomes.flatMap(({ code }) => code ?? []));
  expect([...codes].filter((code) => !['ARCHIVE_INVALID', 'REQUEST_INVALID', 'LIMIT_EXCEEDED'].includes(code))).toEqual([]); // prettier-ignore
  const made = outcomes.filter(({ code }) => code === undefined).map(({ name }) => `${name}.out`);
  const left = fs.readdirSync(folder).filter((name) => !name.endsWith('.tar'));
  expect(left.toSorted()).toEqual(made.toSorted());
  // Of those that nothing is wrong with, half are made. Were nearly all refused, or none, it would show nothing.
  if (tarsAsked >= 100) {
    expect(made.length).toBeGreaterThan(tarsAsked / 4);
    expect(made.length).toBeLessThan((tarsAsked * 3) / 4);
  }
  expect(stateOf(outside)).toEqual(untouched);
}

interface Told {
  readonly name: string;
  readonly code?: string;
}

const names = ['a', 'b', 'd', 'd/x', 'a/x', 'd/passwd', 'b/d/passwd', 'passwd', 'a/b/c'];

function badNames(): string[] {
  const climbing = ['../outside/passwd', '..', './../outside/d/x', 'a/../../outside/x'];
  return [...climbing, `${outside}/passwd`, 'd//x', '/', '', './.', 'a/.'];
}

function targets(): string[] {
  return [...names, ...badNames(), '../outside', '../../outside/d', outside, `${outside}/d`, '.', '/proc/self/cwd', '/proc/self/fd']; // prettier-ignore
}

/** About every second is one that nothing is wrong with, though its symlinks lead anywhere. */
function reachingTar(random: Random): Buffer {
  const blocks = random.chance(0.5) ? tameEntries(random) : wildEntries(random);
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** Each path once, in the order of the tree, and hardlinks to files before them. */
function tameEntries(random: Random): Buffer[] {
  const blocks: Buffer[] = [];
  const folders = new Set(['.']);
  const files: string[] = [];
  for (const name of ['a', 'a/x', 'a/y', 'b', 'd', 'd/passwd', 'd/x', 'd/x/y', 'passwd']) {
    if (random.chance(0.2) || !folders.has(dirname(name))) continue;
    const flag = random.weighted({ '0': 25, '1': files.length > 0 ? 15 : 0, '2': 25, '5': 35 });
    if (flag === '5') folders.add(name);
    if (flag === '0') files.push(name);
    const link = flag === '2' ? random.pick(targets().filter(Boolean)) : random.pick(files);
    blocks.push(...entryOf(random, name, flag, flag === '1' || flag === '2' ? link : undefined));
  }
  return blocks;
}

function wildEntries(random: Random): Buffer[] {
  const blocks: Buffer[] = [];
  for (let left = 1 + random.below(8); left > 0; left -= 1) {
    const flag = random.weighted({ '0': 30, '1': 15, '2': 25, '5': 30, '6': 1, '3': 2 });
    const name = random.chance(0.1) ? random.pick(badNames()) : random.pick(names);
    blocks.push(...entryOf(random, name, flag, flag === '1' || flag === '2' ? random.pick(targets()) : undefined));
  }
  return blocks;
}

function entryOf(random: Random, name: string, typeFlag: string, target: string | undefined): Buffer[] {
  const link = target === undefined ? {} : { link: Buffer.from(target) };
  const body = typeFlag === '0' ? { body: Buffer.from('evil') } : {};
  const pax = random.chance(0.1) ? { pax: [['SCHILY.xattr.user.k', Buffer.from('v')] as [string, Buffer]] } : {};
  const mode = random.pick([0o644, 0o755, 0o6777, 0, 0o1777]);
  const uid = random.pick([0, nobody, 1000]);
  return entryBlocks({
    name: Buffer.from(name),
    typeFlag,
    mode,
    uid,
    gid: uid,
    device: [1, 3],
    ...link,
    ...body,
    ...pax,
  });
}

describe('a directory that is changed while it is extracted', () => {
  it.each(['a symlink to outside', 'nothing', 'another directory'])(
    'by %s in its place, gets no byte elsewhere',
    async (by) => {
      const parent = fs.mkdtempSync(join(work.path, 'swap-'));
      const swap = (): void => {
        const [staged = ''] = fs.readdirSync(parent).filter((name) => !name.endsWith('.special'));
        fs.renameSync(join(parent, staged), join(parent, 'moved'));
        if (by === 'a symlink to outside') fs.symlinkSync(outside, join(parent, staged));
        if (by === 'another directory') fs.mkdirSync(join(parent, staged));
      };
      async function* source(): AsyncGenerator<Buffer> {
        yield Buffer.concat(entryBlocks({ name: Buffer.from('d/'), typeFlag: '5', mode: 0o755 }));
        await new Promise((resolve) => setTimeout(resolve, 20));
        swap();
        yield Buffer.concat([
        ...entryBlocks({ name: Buffer.from('passwd'), typeFlag: '0', body: Buffer.from('evil'), pax: [['SCHILY.xattr.user.k', Buffer.from('v')]] }),
        ...entryBlocks({ name: Buffer.from('d/passwd'), typeFlag: '0', body: Buffer.from('evil'), mode: 0o666 }),
        ...entryBlocks({ name: Buffer.from('pipe'), typeFlag: '6' }),
        Buffer.alloc(1024),
      ]); // prettier-ignore
      }
      await expect(extractRootfs(source(), join(parent, 'out'))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      expect(fs.readdirSync(join(parent, 'moved'))).toEqual([]);
      expect(fs.existsSync(join(parent, 'out'))).toBe(false);
    },
  );

  it('takes neither group nor bits from a folder with the set-group-id bit', async () => {
    const parent = fs.mkdtempSync(join(work.path, 'group-'));
    if (isRoot) fs.chownSync(parent, 0, 4242);
    fs.chmodSync(parent, 0o2775);
    const out = join(parent, 'out');
    const gid = process.getegid?.() ?? 0;
    const own = { uid: process.geteuid?.() ?? 0, gid };
    const tar = tarBytes([
      { name: 'd/', type: 'directory', mode: 0o755, ...own },
      { name: 'd/f', body: 'x', ...own },
    ]);
    await extractRootfs((async function* () { yield tar; })(), out); // prettier-ignore
    expect(['d', 'd/f'].map((name) => fs.statSync(join(out, name)).gid)).toEqual([gid, gid]);
    expect(fs.statSync(join(out, 'd')).mode & 0o7777).toBe(0o755);
  });
});

describe('what a plain user cannot set', () => {
  const asNobody = isRoot ? it : it.skip;
  asNobody(`is counted and said${isRoot ? '' : ' (needs root to become a plain user)'}`, async () => {
    const say = (text: string): Buffer => Buffer.from(text);
    const tar = Buffer.concat([
      ...entryBlocks({ name: say('own'), typeFlag: '0', uid: nobody, gid: nobody, mode: 0o4755 }),
      ...entryBlocks({ name: say('su'), typeFlag: '0', uid: 0, mode: 0o4755 }),
      ...entryBlocks({ name: say('other'), typeFlag: '0', uid: 1000, gid: 1000 }),
      ...entryBlocks({ name: say('null'), typeFlag: '3', device: [1, 3], uid: nobody, gid: nobody }),
      ...entryBlocks({ name: say('disk'), typeFlag: '4', device: [8, 0], uid: nobody, gid: nobody }),
      ...entryBlocks({ name: say('pipe'), typeFlag: '6', uid: nobody, gid: nobody }),
      ...entryBlocks({ name: say('cap'), typeFlag: '0', uid: nobody, gid: nobody, pax: [['SCHILY.xattr.security.capability', capability], ['SCHILY.xattr.trusted.t', say('t')], ['SCHILY.xattr.user.u', say('u')]] }),
      Buffer.alloc(1024),
    ]); // prettier-ignore
    await committed('plain', tar);
    const folder = fs.mkdtempSync(join(work.path, 'plain-'));
    fs.chownSync(folder, nobody, nobody);
    const out = join(folder, 'out');
    const { code, stdout, stderr } = asUser(nobody, 'checkout', 'main', '--dir', out, '--repo', 'plain', '--json');
    expect({ code, stderr: stderr.includes('not set') }).toEqual({ code: 0, stderr: true });
    const { ownersNotSet, setIdsCleared, devicesNotMade, xattrsNotSet } = JSON.parse(stdout) as Record<string, number>;
    expect({ ownersNotSet, setIdsCleared, devicesNotMade, xattrsNotSet }).toEqual({
      ownersNotSet: 2,
      setIdsCleared: 1,
      devicesNotMade: 2,
      xattrsNotSet: 2,
    });
    for (const words of [
      '2 owners not set',
      '1 set-id bit left out',
      '2 devices not made',
      '2 extended attributes not set',
    ]) {
      expect(stderr).toContain(words);
    }
    expect(fs.statSync(join(out, 'own')).mode & 0o7777).toBe(0o4755);
    expect(fs.statSync(join(out, 'su')).mode & 0o7777).toBe(0o755);
    expect(fs.statSync(join(out, 'pipe')).isFIFO()).toBe(true);
    expect(execFileSync('getfattr', ['--absolute-names', '-n', 'user.u', join(out, 'cap')]).toString()).toContain('user.u="u"'); // prettier-ignore
  });
});

/** cap_net_raw=ep, as setcap writes it. */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');

function asUser(user: number, ...args: string[]): Pick<Ran, 'code' | 'stdout' | 'stderr'> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: work.path, VARVE_SERVER: server.url, VARVE_ACTOR: 'ci@journey' };
  const command = join(project.root, 'bin/varve');
  const { status, stdout, stderr } = spawnSync(command, args, { uid: user, gid: user, env, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}
