import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { projectRoot, type Server, startServer } from '../journey/harness/server.js';
import { type Varve, varveAt } from '../journey/harness/varve.js';

/**
 * Real images, and what others make of them: the kernel's overlay, umoci, GNU tar, bsdtar and Python's tarfile. Needs
 * root, the tools of scripts/oracle/install.sh, the built server, and VARVE_TEST_CORPUS: a folder of docker archives
 * (*.tar), as scripts/oracle/make-corpus.sh makes them. What is missing is a failure, never a skip.
 */
const scripts = join(projectRoot, 'scripts/oracle');
const corpus = process.env['VARVE_TEST_CORPUS'];
const minutes = 60_000;

/** [tool, how to see that it is there] */
const tools = [
  ['python3', ['--version']],
  ['tar', ['--version']],
  ['bsdtar', ['--version']],
  ['umoci', ['--version']],
  ['skopeo', ['--version']],
  ['setfattr', ['--version']],
] as const;

it.each(tools)('%s is here', (tool, args) => {
  const { status, error } = spawnSync(tool, args);
  const missing = `${tool} is missing (${error?.message ?? status}): run scripts/oracle/install.sh as root`;
  expect(status === 0 ? '' : missing).toBe('');
});

it('runs as root, for overlay mounts, owners and devices', () => {
  expect(process.geteuid?.() === 0 ? '' : 'run npm run test:oracle as root').toBe('');
});

const images = corpus === undefined ? [] : imagesIn(corpus);

it('has images to ask about', () => {
  const how = 'set VARVE_TEST_CORPUS to a folder of docker archives; scripts/oracle/make-corpus.sh makes some';
  expect(images.length > 0 ? '' : how).toBe('');
});

let server: Server;
let varve: Varve;
let work = '';
beforeAll(async () => {
  work = await mkdtemp(join(process.env['VARVE_TEST_SCRATCH'] ?? tmpdir(), 'varve-kernel-'));
  server = await startServer({ data: join(work, 'data') });
  varve = varveAt(server.url);
}, 60_000);
afterAll(async () => {
  await server?.stop();
  await rm(work, { recursive: true, force: true });
}, 300_000);

describe.each(images)('%s', (archive) => {
  const name = basename(archive, '.tar');
  const tar = (): string => join(work, `${name}.rootfs.tar`);
  let ours: string[] = [];
  let commit = '';
  let repo = '';

  beforeAll(async () => {
    const { images: loaded } = JSON.parse(await succeed('load', archive, '--json')) as Loaded;
    [{ commit, repo } = { commit: '', repo: '' }] = loaded;
    await succeed('checkout', commit, '--repo', repo, '-o', tar());
    ours = listing(tar());
  }, 10 * minutes);
  afterAll(() => rm(tar(), { force: true }));

  it(
    'is the kernel overlay of its layers',
    () => {
      const out = join(work, `${name}.lst`);
      const oracle = spawnSync(join(scripts, 'overlay-oracle.sh'), [archive, out], { env: environment() });
      if (oracle.status !== 0) throw new Error(`overlay-oracle.sh: ${oracle.stderr.toString()}`);
      tell(name, 'the kernel', expectSame(ours, linesOf(readFileSync(out))));
    },
    20 * minutes,
  );

  it(
    'is what umoci unpacks',
    async () => {
      const layout = join(work, `${name}-oci`);
      const bundle = join(work, `${name}-bundle`);
      execFileSync('skopeo', ['copy', '-q', `docker-archive:${archive}`, `oci:${layout}:latest`], { stdio: 'pipe' });
      execFileSync('umoci', ['unpack', '--image', `${layout}:latest`, bundle], { stdio: 'pipe' });
      tell(name, 'umoci', expectSame(ours, listing(join(bundle, 'rootfs'))));
      await rm(layout, { recursive: true });
      await rm(bundle, { recursive: true });
    },
    20 * minutes,
  );

  it.each([
    ['GNU tar', 'tar', ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf']],
    ['bsdtar', 'bsdtar', ['--numeric-owner', '-xpf']],
  ])(
    'is read back by %s to the same tree',
    async (title, command, args) => {
      const folder = await mkdtemp(join(work, `${name}-${command}-`));
      execFileSync(command, [...args, tar(), '-C', folder], { stdio: 'pipe' });
      // The folder itself is ours to make when the image has no root entry.
      tell(name, title, expectSame(withoutRoot(ours), withoutRoot(listing(folder))));
      await rm(folder, { recursive: true });
    },
    20 * minutes,
  );

  it(
    "is read back by Python's tarfile to the same tree",
    async () => {
      const folder = await mkdtemp(join(work, `${name}-python-`));
      execFileSync('python3', ['-W', 'ignore', '-c', pythonExtract, tar(), folder], { stdio: 'pipe' });
      const bare = (lines: readonly string[]): string[] => withoutRoot(lines).map(whatPythonKnows);
      tell(name, "Python's tarfile", expectSame(bare(ours), bare(listing(folder))));
      await rm(folder, { recursive: true });
    },
    20 * minutes,
  );

  it(
    'is extracted by varve checkout --dir to the same tree',
    async () => {
      const folder = join(work, `${name}-dir`);
      await succeed('checkout', commit, '--repo', repo, '--dir', folder);
      tell(name, 'varve checkout --dir', expectSame(withoutRoot(ours), withoutRoot(listing(folder))));
      await rm(folder, { recursive: true });
    },
    20 * minutes,
  );
});

interface Loaded {
  readonly images: readonly { readonly commit: string; readonly repo: string }[];
}

/** Newer Pythons refuse set-id bits and absolute links unless they are told to trust the tar. */
const pythonExtract = `
import sys, tarfile
archive = tarfile.open(sys.argv[1], 'r|', errors='surrogateescape')
archive.extraction_filter = lambda member, path: member
archive.extractall(sys.argv[2], numeric_owner=True)
`;

/** The docker archives in a folder: tars with a manifest.json. */
function imagesIn(folder: string): string[] {
  const tars = readdirSync(folder).filter((name) => name.endsWith('.tar'));
  return tars
    .map((name) => join(folder, name))
    .filter((path) =>
      execFileSync('tar', ['-tf', path], { maxBuffer: 1 << 28 })
        .toString()
        .split('\n')
        .includes('manifest.json'),
    );
}

/** What tree-list.py tells of a tar or a folder: one line a path. */
function listing(path: string): string[] {
  return linesOf(
    execFileSync(join(scripts, 'tree-list.py'), [path], { maxBuffer: 1 << 30, stdio: 'pipe', env: environment() }),
  );
}

/** Scratch files beside ours, where there is room. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, TMPDIR: work };
}

function linesOf(bytes: Buffer): string[] {
  return bytes.toString('latin1').split('\n').filter(Boolean);
}

function withoutRoot(lines: readonly string[]): string[] {
  return lines.filter((line) => !line.startsWith('.\t'));
}

/** It sets no extended attributes, and no times of symlinks. */
function whatPythonKnows(line: string): string {
  const columns = line.split('\t');
  columns[10] = '-';
  if (columns[1] === 'l') columns[6] = '-';
  return columns.join('\t');
}

/** How many paths are the same. @throws with the first lines that differ */
function expectSame(ours: readonly string[], theirs: readonly string[]): number {
  const [mine, other] = [new Set(ours), new Set(theirs)];
  const differing = [
    ...ours.filter((line) => !other.has(line)).map((line) => `- ${line}`),
    ...theirs.filter((line) => !mine.has(line)).map((line) => `+ ${line}`),
  ];
  if (differing.length > 0) {
    throw new Error(`${differing.length} lines differ (- ours, + theirs):\n${differing.slice(0, 20).join('\n')}`);
  }
  return ours.length;
}

function tell(image: string, who: string, paths: number): void {
  process.stdout.write(`${image}: ${paths} paths, 0 lines differ from ${who}\n`);
}

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await varve(...args);
  if (code !== 0) throw new Error(`varve ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}
