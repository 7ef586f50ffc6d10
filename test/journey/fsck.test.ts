import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { fsckRules } from '#query/fsck-finding';
import { layer } from '../fixture/layer-builder.js';
import { archiveOf, dockerArchive } from '../fixture/archive-builder.js';
import { appImage, baseLayer, webImage, type Workspace, workspace } from './harness/archives.js';
import { embedded, isCluster, patience } from './harness/mode.js';
import { cleanEnvironment, projectRoot, type Server, startServer } from './harness/server.js';
import { filesIn, storedIn } from './harness/stored.js';
import { type Varve, varveAt } from './harness/varve.js';

interface Line {
  readonly type: string;
  readonly rule: string;
  readonly severity: string;
  readonly what: string;
  readonly where: string;
  readonly message: string;
  readonly faults: number;
  readonly notices: number;
  readonly checked: Readonly<Record<string, number>>;
}

/** Came compressed, so that it has a seekable copy. */
const moreLayer = layer({ 'more/': null, 'more/text': randomBytes(200_000) }, 'gzip');

/** Plain, and large enough that its index is kept. */
const otherLayer = layer({ 'other/': null, 'other/text': randomBytes(100_000) });

let work: Workspace;
/** A store after loads, commits and moves, its server stopped: every damage is done to a copy of it. */
let sound: string;
/** The copy that most damages are done to, one after the other, beside its server; each is undone. */
let shared: Copy | undefined;

beforeAll(async () => {
  work = await workspace();
  sound = join(work.path, 'sound');
  const server = await startServer({ data: sound });
  const varve = varveAt(server.url);
  await succeed(varve('load', await work.file('app.tar', archiveOf(dockerArchive([appImage]))), '--repo', 'app'));
  await succeed(varve('load', await work.file('web.tar', archiveOf(dockerArchive([webImage]))), '--repo', 'web'));
  const more = await work.file('more.tar', moreLayer.blob);
  await succeed(varve('branch', 'main', '1.0', '--repo', 'app'));
  await succeed(varve('commit', more, '-m', 'more', '--repo', 'app', '-b', 'main'));
  const other = await work.file('other.tar', otherLayer.blob);
  await succeed(varve('commit', other, '-m', 'other', '--repo', 'app', '-b', 'main'));
  await succeed(varve('commit', '--empty', '-m', 'words', '--repo', 'app', '-b', 'main'));
  // The tarball of a whole image.
  await succeed(varve('materialize', '1.0', '--repo', 'app'));
  await succeed(varve('branch', 'gone', '--repo', 'app'));
  await succeed(varve('branch', '-d', 'gone', '--repo', 'app'));
  expect(await server.stop()).toBe(0);
});
afterAll(async () => {
  await shared?.server.stop();
  await work?.remove();
});

const onFiles = embedded('it copies and damages the files of a store');

onFiles.describe('a sound store', () => {
  it('gives nothing and exit code 0, full and quick', async () => {
    await onShared(undefined, async ({ varve }) => {
      expect(await varve('fsck')).toMatchObject({ code: 0, stdout: '' });
      expect((await varve('fsck')).stderr).toMatch(
        /^checked \d+ records, \d+ blobs, \d+ layers, \d+ commits, .* read: nothing is wrong\n$/,
      );
      expect(await varve('fsck', '--quick')).toMatchObject({ code: 0, stdout: '' });
      const [summary, ...others] = await varve.lines<Line>('fsck');
      expect(others).toEqual([]);
      expect(summary).toMatchObject({ type: 'summary', quick: false, faults: 0, notices: 0 });
      const { records, blobs, layers, commits, bytes } = summary?.checked ?? {};
      const state = await varve.json<{ commits: number }>('status');
      // Two repositories share the base layer, which is checked once and counted once.
      expect([commits, layers]).toEqual([state.commits, 5]);
      expect(Number(records)).toBeGreaterThan(6);
      expect(blobs).toBe((await storedIn(sound)).blobs.filter((file) => file.includes('blobs/sha256/')).length);
      expect(Number(bytes)).toBeGreaterThan(200_000);
    });
  });

  it('gives no false alarm while eight clients commit, and a slow upload goes on', async () => {
    await onCopy(undefined, async ({ varve, server }) => {
      const over = new AbortController();
      const upload = slowUpload(server);
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        await succeed(varve('branch', `w${writer}`, 'main', '--repo', 'app'));
        let count = 0;
        while (!over.signal.aborted) {
          const { blob } = layer({ [`w${writer}-${count}`]: randomBytes(5_000) }, 'gzip');
          await commitOver(server, `w${writer}`, blob);
          count += 1;
          // Every check reads all of them: more of them, and a slow machine never comes to an end.
          await delay(500);
        }
        return count;
      });
      const before = await varve.json<{ commits: number }>('status');
      for (let round = 0; round < 5; round += 1) {
        for (const options of [[], ['--quick']]) {
          const ran = await varve('fsck', ...options);
          expect({ ...ran, bytes: undefined }).toMatchObject({ code: 0, stdout: '' });
        }
      }
      over.abort();
      expect((await Promise.all(writers)).every((count) => count > 0)).toBe(true);
      const after = await varve.json<{ commits: number }>('status');
      expect(after.commits - before.commits).toBeGreaterThan(8);
      upload.destroy();
    });
  }, 180_000);
});

onFiles.describe('damage is found, each by its own word', () => {
  it.each<[what: string, rule: string, quick: boolean | string, damage: (data: string) => void | Promise<void>]>([
    ['a flipped bit in a plain layer', 'blob-digest', false, (data) => flipBit(blobFile(data, baseLayer.diffId))],
    ['a flipped bit in a gzip layer', 'blob-digest', false, (data) => flipBit(blobFile(data, moreLayer.digest))],
    ['a truncated blob', 'blob-size', true, (data) => truncate(blobFile(data, moreLayer.digest))],
    ['a blob with something added', 'blob-size', true, (data) => append(blobFile(data, moreLayer.digest))],
    ['a missing blob', 'blob-missing', true, (data) => rmSync(blobFile(data, moreLayer.digest))],
    ['a missing config', 'blob-missing', true, (data) => rmSync(configFile(data))],
    ['a flipped bit in a config', 'blob-digest', false, (data) => flipBit(configFile(data))],
    ['a missing index', 'index-missing', true, (data) => rmSync(derivedFile(data, 'index', moreLayer.diffId))],
    ['an edited index', 'index-differs', false, (data) => flipBit(derivedFile(data, 'index', moreLayer.diffId))],
    [
      'an index of another layer',
      'index-differs',
      false,
      (data) => replace(derivedFile(data, 'index', moreLayer.diffId), derivedFile(data, 'index', otherLayer.diffId)),
    ],
    [
      'a flipped bit in a seekable copy',
      'seekable-differs',
      false,
      (data) => flipBit(derivedFile(data, 'seekable', moreLayer.diffId)),
    ],
    [
      'a truncated seekable copy',
      'seekable-differs',
      true,
      (data) => truncate(derivedFile(data, 'seekable', moreLayer.diffId)),
    ],
    ['a flipped bit in a tarball', 'tarball-differs', false, (data) => flipBit(anyDerivedFile(data, 'tarball'))],
    ['a truncated tarball', 'tarball-differs', true, (data) => truncate(anyDerivedFile(data, 'tarball'))],
    ['a lost id of a commit', 'commit-index', true, (data) => edit(data, 'UPDATE $commit_id SET key = -key')],
    ['an edited ref', 'graph-row', 'ref-row', (data) => edit(data, 'UPDATE $ref SET version = version + 1')],
    [
      'a ref put back',
      'ref-row',
      true,
      (data) =>
        edit(
          data,
          `UPDATE $ref SET id = (SELECT old FROM $reflog r WHERE r.ref = $ref.ref AND old IS NOT NULL) WHERE ref = 'refs/heads/main'`,
        ),
    ],
    [
      'an edited commit',
      'graph-row',
      'commit-row',
      (data) => edit(data, 'UPDATE $commits SET virtual_bytes = virtual_bytes + 1'),
    ],
    [
      'an edited size of a commit',
      'commit-row',
      true,
      (data) => edit(data, 'UPDATE $commits SET own_bytes = own_bytes + 1 WHERE depth = 1'),
    ],
    [
      'edited bytes of a commit',
      'commit-bytes',
      true,
      (data) => edit(data, `UPDATE $commits SET bytes = CAST(replace(bytes, 'make install', 'make mischief') AS BLOB)`),
    ],
    [
      'an edited move',
      'graph-row',
      false,
      (data) => edit(data, `UPDATE $reflog SET actor = 'nobody' WHERE key = (SELECT min(key) FROM $reflog)`),
    ],
    ['an edited outcome', 'graph-row', false, (data) => edit(data, `UPDATE $outcome SET time = 1`)],
    ['an outcome that is no JSON', 'graph-row', false, (data) => edit(data, `UPDATE $outcome SET outcome = '{'`)],
    [
      'an edited layer',
      'graph-row',
      'commit-row',
      (data) => edit(data, 'UPDATE $layer SET tar_bytes = tar_bytes + 512'),
    ],
    ['an edited blob row', 'blob-size', true, (data) => edit(data, 'UPDATE $blob SET size = size + 1')],
    ['a layer row that is gone', 'layer-unbound', true, (data) => edit(data, 'DELETE FROM $layer')],
    ['blob rows that are gone', 'document-unbound', true, (data) => edit(data, 'DELETE FROM $blob')],
    [
      'an edited digest of the state',
      'graph-digest',
      false,
      (data) => edit(data, `UPDATE $checkpoint SET state_digest = '${'0'.repeat(64)}'`),
    ],
    ['a deleted commit', 'commit-missing', true, (data) => edit(data, 'DELETE FROM $commits WHERE depth = 1')],
    [
      'a deleted tip',
      'ref-target-missing',
      true,
      (data) =>
        edit(data, `DELETE FROM $commits WHERE key = (SELECT max(key) FROM $commits WHERE key < 2 * 4294967296)`),
    ],
    ['a deleted parent', 'parent-missing', true, (data) => edit(data, 'DELETE FROM $commits WHERE depth = 1')],
  ])('%s', async (_what, rule, inQuick, damage) => {
    // prettier-ignore
    await onShared(damage, async ({ varve }) => {
      const [full, quick] = await Promise.all([varve('fsck', '--json'), varve('fsck', '--quick', '--json')]);
      expect(faultsIn(full.stdout)).toContain(rule);
      expect(full.code).toBe(7);
      if (inQuick !== false) expect(faultsIn(quick.stdout)).toContain(inQuick === true ? rule : inQuick);
      else expect({ code: quick.code, faults: faultsIn(quick.stdout) }).toEqual({ code: 0, faults: [] });
    });
  });

  it('a stray staging file, put there while the server runs; the next start sweeps it', async () => {
    await onShared(undefined, async ({ varve, data }) => {
      const stray = join(data, stagingFolder(data), 'f'.repeat(32));
      writeFileSync(stray, 'stray');
      await delay(20);
      const [full, quick] = await Promise.all([varve('fsck', '--json'), varve('fsck', '--json', '--quick')]);
      for (const ran of [full, quick]) {
        expect(faultsIn(ran.stdout)).toEqual(['staging-leftover']);
        expect(ran.code).toBe(7);
      }
      rmSync(stray);
      expect((await varve('fsck')).code).toBe(0);
    });
  });

  it('says what is wrong, where, and what to do', async () => {
    await onShared(
      (data) => flipBit(blobFile(data, baseLayer.diffId)),
      async ({ varve }) => {
        const { stdout, stderr, code } = await varve('fsck');
        expect(code).toBe(7);
        const lines = stdout.trimEnd().split('\n');
        expect(lines).toHaveLength(3);
        expect(lines[0]).toBe(`fault  blob-digest: ${baseLayer.diffId}`);
        expect(lines[1]).toMatch(/^ {7}blob sha256:[0-9a-f]{64}, incarnation [0-9a-f]{32}$/);
        expect(lines[2]).toMatch(/hash to sha256:[0-9a-f]{64}: they were changed on the disk\. .*load or push again/);
        expect(stderr).toMatch(/^varve: fsck found 1 fault in .* \(CORRUPT\)\n/);
      },
    );
  });

  it('tells of what nobody names as a notice, and of what is gone and can be made again', async () => {
    await onShared(
      (data) => {
        const file = blobFile(data, baseLayer.diffId);
        const bytes = Buffer.from('nobody names this');
        const hex = createHash('sha256').update(bytes).digest('hex');
        const blobs = file.slice(0, file.indexOf('sha256') + 'sha256'.length);
        execFileSync('mkdir', ['-p', join(blobs, hex.slice(0, 2), hex)]);
        const stray = join(blobs, hex.slice(0, 2), hex, 'a'.repeat(32));
        writeFileSync(stray, bytes);
        utimesSync(stray, 1, 1);
        rmSync(derivedFile(data, 'seekable', moreLayer.diffId));
        rmSync(anyDerivedFile(data, 'tarball'));
        const index = derivedFile(data, 'index', moreLayer.diffId);
        const orphan = join(index, '../../', hex.slice(0, 2), hex);
        execFileSync('mkdir', ['-p', join(orphan, '..')]);
        cpSync(index, orphan);
        utimesSync(orphan, 1, 1);
      },
      async ({ varve }) => {
        const ran = await varve('fsck', '--json');
        expect(ran.code).toBe(0);
        const found = linesOf(ran.stdout).filter(({ type }) => type === 'finding');
        expect(found.map(({ rule, severity }) => `${severity} ${rule}`).toSorted()).toEqual([
          'notice blob-unreferenced',
          'notice derived-unreferenced',
          'notice seekable-missing',
          'notice tarball-missing',
        ]);
        for (const { rule, message } of found) {
          expect(message).toMatch(/-unreferenced/.test(rule) ? /Run varve gc/ : /Nothing needs to be done/);
        }
      },
    );
  });

  it('is repaired where it says so: an index is made again, a graph by deleting it', async () => {
    await onShared(
      (data) => rmSync(derivedFile(data, 'index', moreLayer.diffId)),
      async ({ varve }) => {
        expect((await varve('fsck')).code).toBe(7);
        await succeed(varve('checkout', 'main', '--repo', 'app', '-o', '/dev/null'));
        expect((await varve('fsck')).code).toBe(0);
      },
    );
    await onCopy(
      (data) => {
        edit(data, 'UPDATE $ref SET version = version + 1');
        const { path } = graphOf(data);
        for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
      },
      async ({ varve }) => expect((await varve('fsck')).code).toBe(0),
    );
  });
});

it(
  'stops when its client goes away',
  async () => {
    const data = await mkdtemp(join(tmpdir(), 'varve-fsck-'));
    const server = await startServer({ data });
    try {
      const varve = varveAt(server.url);
      const large = layer({ large: randomBytes(isCluster ? 300 << 20 : 64 << 20) });
      await succeed(varve('init', 'big'));
      await succeed(varve('commit', await work.file('large.tar', large.tar), '-m', 'large', '--repo', 'big'));
      const copies = isCluster ? [] : linkedCopies(blobFile(data, large.digest), 80);
      const answer = await post(`${server.url}/api/v1/fsck`);
      const first = await new Promise<string>((resolve) =>
        answer.once('data', (bytes: Buffer) => resolve(bytes.toString())),
      );
      expect(JSON.parse(first.split('\n')[0] as string)).toMatchObject({ type: 'progress' });
      answer.destroy();
      const cpuAfterwards = await settledCpu(server.pid);
      expect(cpuAfterwards).toBeLessThan(20);
      for (const copy of copies) rmSync(copy);
      expect((await varve('fsck')).code).toBe(0);
    } finally {
      await server.kill();
      await rm(data, { recursive: true, force: true });
    }
  },
  60_000 * patience,
);

describe('completion', () => {
  const hasBash = spawnSync('bash', ['-c', 'true']).status === 0;

  it.each(['bash', 'zsh', 'fish'])('prints a script for %s that names every verb', async (shell) => {
    const varve = varveAt('http://127.0.0.1:9');
    const { code, stdout } = await varve('completion', shell);
    expect(code).toBe(0);
    const verbs = (await varve('--help')).stdout.match(/(?<=^ {2})[a-z][a-z-]+(?= )/gm) ?? [];
    expect(verbs).toContain('fsck');
    for (const verb of verbs.filter((each) => each !== 'help')) expect(stdout).toMatch(new RegExp(`\\b${verb}\\b`));
    expect(stdout).toContain(shell === 'fish' ? '-l quick' : '--quick');
    if (spawnSync(shell, ['-c', 'true']).status === 0) {
      expect(spawnSync(shell, ['-n'], { input: stdout })).toMatchObject({ status: 0 });
    }
  });

  it('refuses a shell it does not know', async () => {
    const ran = await varveAt('http://127.0.0.1:9')('completion', 'tcsh');
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(/bash, zsh, fish/);
  });

  (hasBash ? onFiles.it : it.skip)(
    'completes verbs, options, words and refs in bash, with and without a server',
    async () => {
      await onShared(undefined, async ({ server }) => {
        const complete = (line: string, url = server.url): string[] => {
          const script = `source <(varve completion bash); COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _varve; printf '%s\\n' "\${COMPREPLY[@]}"`;
          const env = cleanEnvironment({
            PATH: `${projectRoot}/bin:${process.env['PATH']}`,
            VARVE_SERVER: url,
            VARVE_REPO: 'app',
          });
          return execFileSync('bash', ['-c', script], { env }).toString().split('\n').filter(Boolean);
        };
        expect(complete('varve che')).toEqual(['checkout']);
        expect(complete('varve re')).toEqual(expect.arrayContaining(['refs', 'reflog', 'reset', 'rebuild']));
        expect(complete('varve fsck --q')).toEqual(expect.arrayContaining(['--quick', '--quiet']));
        expect(complete('varve completion z')).toEqual(['zsh']);
        expect(complete("varve show ''")).toEqual(expect.arrayContaining(['main', 'latest', '1.0']));
        expect(complete('varve --repo app log ma')).toEqual(['main']);
        // A file belongs there: bash completes it.
        expect(complete('varve checkout main -o ma')).toEqual([]);
        const startedMs = performance.now();
        expect(complete('varve show ma', 'http://127.0.0.1:9')).toEqual([]);
        expect(performance.now() - startedMs).toBeLessThan(5_000);
      });
    },
  );
});

it('has each of its rules, with its severity, in the reference', () => {
  const reference = readFileSync(join(projectRoot, 'docs/reference/cli.md'), 'utf8');
  const section = reference.slice(reference.indexOf('### fsck'), reference.indexOf('## JSON'));
  const told = [...section.matchAll(/^\| (`.*?`) \| (fault|notice) \|/gm)].flatMap(([, names = '', severity]) =>
    names.split(', ').map((name) => [name.replaceAll('`', ''), severity]),
  );
  expect(Object.fromEntries(told)).toEqual(fsckRules);
});

/** More copies of a blob, as if it had been uploaded so often: a check of them takes seconds on any machine. */
function linkedCopies(file: string, count: number): string[] {
  const copies = Array.from({ length: count }, (_, n) => join(file, '..', n.toString(16).padStart(32, '0')));
  for (const copy of copies) linkSync(file, copy);
  return copies;
}

interface Copy {
  readonly server: Server;
  readonly varve: Varve;
  readonly data: string;
}

/** Damages a copy of the sound store while no server runs, starts one on it, and asks. */
async function onCopy(
  damage: ((data: string) => void | Promise<void>) | undefined,
  ask: (copy: Copy) => Promise<unknown>,
): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'varve-fsck-'));
  await cp(sound, data, { recursive: true, preserveTimestamps: true });
  let server: Server | undefined;
  try {
    await damage?.(data);
    server = await startServer({ data });
    await ask({ server, varve: varveAt(server.url), data });
  } finally {
    await server?.stop();
    await rm(data, { recursive: true, force: true });
  }
}

/** Damages the shared copy under its server, asks, and undoes the damage: a start of a server takes a second. */
async function onShared(
  damage: ((data: string) => void | Promise<void>) | undefined,
  ask: (copy: Copy) => Promise<unknown>,
): Promise<void> {
  shared ??= await startShared();
  try {
    await damage?.(shared.data);
    await ask(shared);
  } finally {
    await undo(shared.data);
  }
}

async function startShared(): Promise<Copy> {
  const data = join(work.path, 'shared');
  await cp(sound, data, { recursive: true, preserveTimestamps: true });
  const server = await startServer({ data });
  return { server, varve: varveAt(server.url), data };
}

/** Makes what is stored, and the rows of the live graph, those of the sound store again. */
async function undo(data: string): Promise<void> {
  for (const folder of ['blobs', 'derived']) {
    const files = new Set(await filesIn(join(sound, folder)));
    for (const file of await filesIn(join(data, folder))) if (!files.has(file)) rmSync(join(data, folder, file));
    for (const file of files) putBack(join(data, folder, file), join(sound, folder, file));
  }
  const { db, prefix } = graphOf(data);
  db.prepare('ATTACH ? AS sound').run(join(sound, 'graph.db'));
  db.exec('BEGIN IMMEDIATE');
  const tables = db.prepare(`SELECT name FROM sound.sqlite_schema WHERE type = 'table' AND name GLOB ?`);
  for (const { name } of tables.all(`${prefix}*`)) {
    db.exec(`DELETE FROM main.${String(name)}; INSERT INTO main.${String(name)} SELECT * FROM sound.${String(name)}`);
  }
  db.exec('COMMIT');
  db.close();
}

function putBack(file: string, original: string): void {
  if (!existsSync(file)) cpSync(original, file, { preserveTimestamps: true });
  else if (!readFileSync(file).equals(readFileSync(original))) writeFileSync(file, readFileSync(original));
}

async function succeed(running: Promise<{ code: number | null; stderr: string }>): Promise<void> {
  const { code, stderr } = await running;
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
}

function linesOf(stdout: string): Line[] {
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

function faultsIn(stdout: string): string[] {
  return linesOf(stdout)
    .filter(({ severity }) => severity === 'fault')
    .map(({ rule }) => rule);
}

function findFile(data: string, pattern: RegExp): string {
  const found = (readdirSync(data, { recursive: true }) as string[]).find(
    (path) => pattern.test(path) && statSync(join(data, path)).isFile(),
  );
  if (found === undefined) throw new Error(`${data} has no file like ${pattern}`);
  return join(data, found);
}

function blobFile(data: string, digest: string): string {
  return findFile(data, new RegExp(`blobs/sha256/../${digest.slice('sha256:'.length)}/[0-9a-f]{32}$`));
}

function configFile(data: string): string {
  const { db, prefix } = graphOf(data);
  const row = db.prepare(`SELECT digest FROM ${prefix}blob WHERE media_type LIKE '%json' LIMIT 1`).get();
  db.close();
  return blobFile(data, `sha256:${Buffer.from(row?.['digest'] as Uint8Array).toString('hex')}`);
}

function derivedFile(data: string, kind: string, diffId: string): string {
  return findFile(data, new RegExp(`derived/${kind}/v\\d+/../${diffId.slice('sha256:'.length)}$`));
}

function anyDerivedFile(data: string, kind: string): string {
  return findFile(data, new RegExp(`derived/${kind}/v\\d+/../[0-9a-f]{64}$`));
}

function flipBit(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

function truncate(path: string): void {
  truncateSync(path, statSync(path).size - 1);
}

function append(path: string): void {
  writeFileSync(path, 'x', { flag: 'a' });
}

function replace(path: string, by: string): void {
  writeFileSync(path, readFileSync(by));
}

function graphOf(data: string): { db: DatabaseSync; prefix: string; path: string } {
  for (const name of readdirSync(data).filter((file) => /\.(?:db|sqlite)$/.test(file))) {
    const path = join(data, name);
    const db = new DatabaseSync(path);
    const isGraph = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'live'`).get() !== undefined;
    if (isGraph)
      return { db, path, prefix: `g${Number(db.prepare('SELECT generation FROM live').get()?.['generation'])}_` };
    db.close();
  }
  throw new Error(`${data} has no graph`);
}

/** `$` stands for the prefix of the live tables. */
function edit(data: string, sql: string): void {
  const { db, prefix } = graphOf(data);
  const { changes } = db.prepare(sql.replaceAll('$', prefix)).run();
  db.close();
  if (changes === 0) throw new Error(`nothing was changed by ${sql}`);
}

function stagingFolder(data: string): string {
  const found = (readdirSync(data, { recursive: true }) as string[]).find((path) => /(?:^|\/)staging$/.test(path));
  if (found === undefined) throw new Error(`${data} has no staging folder`);
  return found;
}

/** A commit whose layer stops midway, with a file in staging, until it is destroyed. */
function slowUpload({ url }: Server) {
  const sending = request(`${url}/api/v1/repos/app/branches/main/commits?message=slow`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-tar', 'content-length': String(10 << 20) },
  });
  sending.on('error', () => undefined);
  sending.write(layer({ slow: randomBytes(2 << 20) }).tar.subarray(0, 1 << 20));
  return sending;
}

async function commitOver({ url }: Server, branch: string, bytes: Uint8Array): Promise<void> {
  const answer = await fetch(`${url}/api/v1/repos/app/branches/${branch}/commits?message=more`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-tar' },
    body: Uint8Array.from(bytes),
  });
  if (answer.status !== 201) throw new Error(`the commit was answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

function post(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST' }, resolve).on('error', reject).end();
  });
}

/** Clock ticks (10 ms) that a process uses in half a second, half a second from now. */
async function settledCpu(pid: number): Promise<number> {
  const ticks = (): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  await delay(700);
  const before = ticks();
  await delay(500);
  return ticks() - before;
}
