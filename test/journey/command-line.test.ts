import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Workspace, workspace } from './harness/archives.js';
import { readableProject } from './harness/plain-user.js';
import { cleanEnvironment, projectRoot } from './harness/server.js';
import { finished, varveAt, varveCommand } from './harness/varve.js';

/** The command by itself: no server runs here. */
const nobody = varveAt('http://127.0.0.1:9');
let work: Workspace;
beforeAll(async () => {
  work = await workspace();
});
afterAll(() => work?.remove());

const verbs =
  'serve init repos images log show refs reflog merge-base rev-parse du ls cat diff find layer branch tag reset rollback load import commit checkout status rebuild gc fsck transaction completion version';

it('lists every command in groups and ends with the exit codes', async () => {
  const { code, stdout } = await nobody('--help');
  expect(code).toBe(0);
  for (const verb of verbs.split(' ')) expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
  expect(stdout).toMatch(
    /Start:[\s\S]*Look at history:[\s\S]*Look into commits:[\s\S]*Move refs:[\s\S]*Bytes in and out:[\s\S]*Care:/,
  );
  expect(stdout.trimEnd()).toMatch(/Exit codes:\n {2}0 +done\n[\s\S]* {2}130 +interrupted$/);
});

it.each(verbs.split(' '))('shows examples and exit codes in the help of %s', async (verb) => {
  const { code, stdout } = await nobody(verb, '--help');
  expect(code).toBe(0);
  const examples = /Examples:\n([\s\S]*?)\n\n/.exec(stdout)?.[1]?.split('\n') ?? [];
  expect(examples.length).toBeGreaterThanOrEqual(2);
  expect(stdout).toMatch(/Exit codes:\n {2}0 +done\n/);
});

it('is told whole in its reference: every command, every option, every exit code', async () => {
  const reference = readFileSync(join(projectRoot, 'docs/reference/cli.md'), 'utf8');
  const help = await Promise.all(
    ['', ...verbs.split(' ')].map(async (verb) => (await nobody(...(verb === '' ? [] : [verb]), '--help')).stdout),
  );
  const options = new Set(help.join('\n').match(/(?<=^ {2}(?:-\w, )?)--[a-z-]+/gm));
  const missing = [...options, ...verbs.split(' ').map((verb) => `varve ${verb}`)].filter(
    (word) => !reference.includes(word),
  );
  expect(missing).toEqual([]);
  for (const code of /Exit codes:\n([\s\S]*)/.exec(help[0] ?? '')?.[1]?.match(/^ {2}\d+/gm) ?? []) {
    expect(reference).toMatch(new RegExp(`^\\| ${code.trim()} \\|`, 'm'));
  }
});

it('says how to start a server when none answers, and ends with 5', async () => {
  const ran = await nobody('log');
  expect(ran).toMatchObject({ code: 5, stdout: '' });
  expect(ran.stderr).toBe(
    'varve: no server answers at http://127.0.0.1:9 (ECONNREFUSED) (UNAVAILABLE)\n' +
      '       try: varve serve (or name another server with --server or VARVE_SERVER)\n',
  );
});

it('says errors as one line of JSON under --json', async () => {
  const { stderr, code } = await nobody('log', '--json');
  expect(code).toBe(5);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'UNAVAILABLE', detail: { refused: true } } });
});

it.each<[string, string[], RegExp]>([
  ['an unknown command', ['chekout'], /did you mean checkout/],
  ['an unknown option', ['log', '--onelin'], /unknown option/],
  ['a missing argument', ['reset', 'main'], /missing required argument/],
  ['a count that is none', ['log', '-n', 'many'], /not a number of commits/],
  ['an address that is none', ['--server', 'nowhere', 'repos'], /not the address of a server/],
  ['a checkout to nowhere', ['checkout', 'main'], /-o FILE, -o - or --dir/],
  ['a checkout to two places', ['checkout', 'main', '-o', 'x', '--dir', 'y'], /cannot be used with/],
  ['a commit of nothing', ['commit', '-m', 'x', '--repo', 'r'], /--empty/],
  ['a layer that is not there', ['commit', '/no/such/layer.tar', '-m', 'x', '--repo', 'r'], /no such file/],
  ['an archive that is not there', ['load', '/no/such/image.tar'], /no such file/],
  ['a transaction without its id', ['transaction', 'show'], /missing required argument/],
  ['an epoch that is none', ['transaction', 'show', 'ab', '--gc-epoch', '-1'], /not the number of an epoch/],
  ['a transaction of the past', ['transaction', 'show', 'ab', '--at', '1.days.ago'], /has no --at/],
  ['a branch name git refuses', ['branch', 'a..b', '--repo', 'r'], /NAME_INVALID/],
  ['a tag name OCI refuses', ['tag', '-x', '--repo', 'r'], /unknown option/],
])('refuses %s with 2', async (_what, args, message) => {
  const ran = await nobody(...args);
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).not.toMatch(/^ +at /m);
});

it('refuses a SOURCE_DATE_EPOCH that is no time, before it sends anything', async () => {
  const ran = await nobody.with(
    { env: { SOURCE_DATE_EPOCH: 'yesterday' } },
    'commit',
    '--empty',
    '-m',
    'x',
    '--repo',
    'r',
    '-b',
    'main',
  );
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain('SOURCE_DATE_EPOCH');
});

it('runs from any folder and through links', async () => {
  const folder = join(work.path, 'a folder with spaces');
  mkdirSync(folder);
  symlinkSync(varveCommand, join(folder, 'one'));
  symlinkSync('one', join(folder, 'two'));
  expect(execFileSync(join(folder, 'two'), ['--version'], { cwd: '/' }).toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(execFileSync('./two', ['--version'], { cwd: folder }).toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it('finds its way when the project is not built, or has no Node of its own', async () => {
  const project = join(work.path, 'project');
  mkdirSync(join(project, 'bin'), { recursive: true });
  execFileSync('cp', [varveCommand, join(project, 'bin/varve')]);
  const run = (path: string) => finished(spawn(join(project, 'bin/varve'), ['log'], { env: { PATH: path } }));
  const real = join(process.execPath, '..');
  expect(await run(`${real}:/usr/bin:/bin`)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('run "npm run build"') as string,
  });
  const oldNode = join(work.path, 'old');
  mkdirSync(oldNode);
  writeFileSync(join(oldNode, 'node'), '#!/bin/sh\n[ "$1" = --version ] && echo v20.11.0\nexit 1\n');
  chmodSync(join(oldNode, 'node'), 0o755);
  expect(await run(`${oldNode}:/usr/bin:/bin`)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/v20\.11\.0.*24\.9/) as string,
  });
  const tools = join(work.path, 'tools');
  mkdirSync(tools);
  symlinkSync('/bin/sh', join(tools, 'sh'));
  expect(await run(tools)).toMatchObject({ code: 2, stderr: expect.stringContaining('no Node found') as string });
});

it('starts without a home and with an environment that is nearly empty', async () => {
  // As in a container: a user id that no passwd file knows.
  const nobodyAtAll = process.geteuid?.() === 0 ? { uid: 54_321, gid: 54_321 } : {};
  const project = readableProject();
  const ran = await finished(
    spawn(join(project.root, 'bin/varve'), ['--version'], { env: { PATH: process.env['PATH'] }, ...nobodyAtAll }),
  ).finally(() => project.remove());
  expect(ran).toMatchObject({ code: 0, stderr: '' });
});

it('leaves no variable of the server in the way of the command', () => {
  expect(Object.keys(cleanEnvironment()).filter((name) => name.startsWith('VARVE_'))).toEqual([]);
});
