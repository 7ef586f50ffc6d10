import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { CreatedCommit, LoggedCommit, MovedRef, Ref, ReflogMove, Repository } from '#client/answer';
import * as schema from '#edge/rest/schema';
import { layer } from '../fixture/layer-builder.js';
import { type Workspace, workspace } from './harness/archives.js';
import { cleanEnvironment, type Server, startServer } from './harness/server.js';
import { finished, type Varve, varveAt, varveCommand } from './harness/varve.js';

/** One repository, from its first commit on; the tests are steps of one story and run in order. */
let server: Server;
let work: Workspace;
let varve: Varve;
let one: CreatedCommit;
let two: CreatedCommit;
beforeAll(async () => {
  [server, work] = await Promise.all([startServer(), workspace()]);
  varve = varveAt(server.url);
});
afterAll(async () => {
  await server?.stop();
  await work?.remove();
});

it('says what to do while there is no repository', async () => {
  const ran = await varve('log');
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(/there is no repository yet: .*varve load.*\(REQUEST_INVALID\)/);
});

it('init makes a repository at the genesis commit', async () => {
  expect(await varve('init', 'app')).toMatchObject({
    code: 0,
    stderr: '',
    stdout: 'made repository app with branch main\n',
  });
  expect((await varve('init', 'app')).stderr).toContain('REPOSITORY_EXISTS');
  const [genesis] = await varve.lines<LoggedCommit>('log');
  expect(genesis).toMatchObject({
    parents: [],
    layers: [],
    author: '',
    time: null,
    ownBytes: 0,
    refs: ['refs/heads/main'],
  });
});

it('repos lists it, and it is the one meant from now on', async () => {
  const [repo] = await varve.json<Repository[]>('repos');
  expect(schema.repository.parse(repo)).toMatchObject({ repo: 'app', defaultBranch: 'refs/heads/main', commits: 1 });
  expect((await varve('repos')).stdout).toMatch(/^REPOSITORY +DEFAULT BRANCH +COMMITS +MOVES +CREATED\napp +main +1 /);
});

it('commit puts a layer on the branch, from a file', async () => {
  const file = await work.file('one.tar', layer({ 'etc/': null, 'etc/motd': 'one\n' }).tar);
  const ran = await varve.with(
    { env: { SOURCE_DATE_EPOCH: '1434412800' } },
    'commit',
    file,
    '-m',
    'add motd\n\nwith a body',
    '-a',
    'A. Agent',
    '--label',
    'ci=42',
    '--label',
    'os=linux',
    '--json',
  );
  one = JSON.parse(ran.stdout) as CreatedCommit;
  schema.createdCommit.parse(one);
  const shown = schema.shownCommit.parse(await varve.json('show', 'main'));
  expect(shown).toMatchObject({
    id: one.commit,
    message: 'add motd\n\nwith a body',
    author: 'A. Agent',
    time: '2015-06-16T00:00:00Z',
    labels: { ci: '42', os: 'linux' },
    layers: [one.layer?.diffId],
    stackLayers: 1,
  });
});

it('commit puts a layer on the branch, from standard input, with the time of now', async () => {
  const ran = await varve.with(
    { input: layer({ 'etc/motd': 'two\n' }, 'gzip').blob },
    'commit',
    '-',
    '-m',
    'change motd',
    '--json',
  );
  two = JSON.parse(ran.stdout) as CreatedCommit;
  const { time, parents } = await varve.json<LoggedCommit>('show');
  expect(parents).toEqual([one.commit]);
  expect(Math.abs(Date.now() - Date.parse(time ?? ''))).toBeLessThan(60_000);
});

it('commit --empty makes a commit of metadata alone, and says so to people', async () => {
  const ran = await varve('commit', '--empty', '-m', 'note');
  expect(ran.stdout).toMatch(/^\[main [0-9a-f]{12}\] note \(no layer\)\n$/);
  expect(await varve.json('show')).toMatchObject({ layers: [], ownBytes: 0, stackLayers: 2 });
});

it('log shows every commit, a line each with --oneline, and no more than -n', async () => {
  const log = await varve.lines<LoggedCommit>('log');
  expect(log.map(({ message }) => message.split('\n')[0])).toEqual(['note', 'change motd', 'add motd', 'genesis']);
  for (const commit of log) schema.loggedCommit.parse(commit);
  const lines = (await varve('log', '--oneline')).stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^[0-9a-f]{12} \(main\) note$/);
  expect(lines).toHaveLength(4);
  expect((await varve('log', '--oneline', '-n', '2')).stdout.trimEnd().split('\n')).toEqual(lines.slice(0, 2));
  expect((await varve('log', 'main~2')).stdout).toContain(
    `commit ${one.commit}\nAuthor: A. Agent\nDate:   2015-06-16T00:00:00Z\nSize:   `,
  );
});

it('log pages through a long history and stops when its reader does', async () => {
  await varve('branch', 'long', 'main');
  for (let i = 0; i < 12; i++) await varve('commit', '--empty', '-m', `n${i}`, '-b', 'long');
  const child = spawn('/bin/sh', ['-c', `"${varveCommand}" log long --oneline | head -n 1; exit 0`], {
    env: cleanEnvironment({ VARVE_SERVER: server.url }),
  });
  expect(await finished(child)).toMatchObject({ code: 0, stderr: '' });
  const closed = varve.start({}, 'log', 'long');
  closed.stdout.destroy();
  expect(await finished(closed)).toMatchObject({ code: 0, stderr: '' });
});

it('revisions are refs, short ids, X~n, X^ and ref@{n}', async () => {
  const expected = one.commit;
  for (const rev of [
    expected,
    expected.slice(0, 7),
    'main~2',
    'main^^',
    'main@{2}',
    'heads/main~2',
    'refs/heads/main~2',
    'HEAD~2',
  ]) {
    expect({ rev, id: (await varve.json<LoggedCommit>('show', rev)).id }).toEqual({ rev, id: expected });
  }
});

it('branch lists, makes and deletes branches', async () => {
  expect(await varve('branch', 'fix', 'main~1')).toMatchObject({
    code: 0,
    stdout: `made branch fix at ${two.commit.slice(0, 12)}\n`,
  });
  expect((await varve('branch')).stdout).toMatch(
    /^ {2}fix +[0-9a-f]{12}\n {2}long +[0-9a-f]{12}\n\* main +[0-9a-f]{12}\n$/,
  );
  const again = await varve('branch', 'fix', 'main');
  expect(again).toMatchObject({ code: 4 });
  expect(again.stderr).toContain('REF_STALE');
  const gone = schema.movedRef.parse(await varve.json<MovedRef>('branch', '-d', 'fix'));
  expect(gone).toMatchObject({ ref: 'refs/heads/fix', commit: null, from: two.commit });
  expect((await varve('branch', '-d', 'fix')).code).toBe(3);
});

it('tag lists, makes, moves and deletes tags, and does not move one unasked', async () => {
  expect((await varve('tag', 'v1', 'main~2')).stdout).toBe(`tag v1 is at ${one.commit.slice(0, 12)}\n`);
  expect((await varve('tag', 'v1', 'main~2')).code).toBe(0);
  expect(await varve('tag', 'v1', 'main~1')).toMatchObject({ code: 4 });
  expect((await varve('tag', '--move', 'v1', 'main~1')).stdout).toBe(
    `tag v1 moved from ${one.commit.slice(0, 12)} to ${two.commit.slice(0, 12)}\n`,
  );
  expect((await varve('tag')).stdout).toBe(`v1 ${two.commit.slice(0, 12)}\n`);
  expect((await varve('tag', '-d', 'v1')).code).toBe(0);
  expect((await varve('tag')).stdout).toBe('');
  await varve('tag', 'v2', 'main');
});

it('reset points a branch anywhere, and the reflog leads back', async () => {
  const tip = (await varve.json<LoggedCommit>('show', 'main')).id;
  const moved = schema.movedRef.parse(await varve.json('reset', 'main', 'main~2', '-m', 'too early'));
  expect(moved).toMatchObject({ from: tip, commit: one.commit, changed: true });
  expect((await varve('reset', 'main', 'main~0')).stdout).toBe(`main is at ${one.commit.slice(0, 12)} already\n`);
  await varve('reset', 'main', 'main@{1}');
  expect((await varve.json<LoggedCommit>('show', 'main')).id).toBe(tip);
  const stale = await varve('reset', 'main', 'main~1', '--expect', `${one.commit}.1`);
  expect(stale.code).toBe(4);
  expect(stale.stderr).toContain('REF_STALE');
});

it('rollback points a ref back by id or by @{n}, and is undone by another', async () => {
  const tip = (await varve.json<LoggedCommit>('show', 'main')).id;
  expect((await varve('rollback', 'main', '--to', one.commit.slice(0, 8))).stdout).toBe(
    `main moved from ${tip.slice(0, 12)} to ${one.commit.slice(0, 12)}\n`,
  );
  expect(await varve.json<MovedRef>('rollback', 'main', '--to', '@{1}')).toMatchObject({ commit: tip });
  expect((await varve('rollback', 'v2', '--to', 'main~1')).code).toBe(4);
  expect(await varve.json<MovedRef>('rollback', 'v2', '--to', 'main~1', '--move-tags')).toMatchObject({ type: 'tag' });
});

it('reflog tells who moved what, newest first', async () => {
  const moves = await varve.lines<ReflogMove>('reflog', 'main');
  schema.reflog.parse({ moves, before: null });
  expect(moves.map(({ operation }) => operation)).toEqual([
    'rollback',
    'rollback',
    'reset',
    'reset',
    'commit',
    'commit',
    'commit',
    'init',
  ]);
  expect(moves[3]).toMatchObject({ reason: 'too early', actor: { name: 'ci@journey', verified: false } });
  const [first] = (await varve('reflog', 'main', '-n', '1')).stdout.split('\n');
  expect(first).toMatch(/^[0-9a-f]{12} main@\{0\}: rollback \(ci@journey, (?:now|\d+ seconds ago)\)$/);
});

it('refs lists branches and tags with full ids', async () => {
  const refs = await varve.json<Ref[]>('refs');
  schema.refs.parse({ refs });
  expect((await varve('refs')).stdout).toBe(refs.map(({ commit, ref }) => `${commit} ${ref}\n`).join(''));
});

it('images lists what tags and branches point at', async () => {
  expect((await varve('images')).stdout).toMatch(
    /^REPOSITORY +TAG +COMMIT +CREATED +SIZE\napp +v2 +[0-9a-f]{12} +\S.* kB\napp +heads\/main +/,
  );
});

it('status and rebuild agree on the digest of the state', async () => {
  const status = await varve.json<{ partitions: { stateDigest: string }[] }>('status');
  const rebuilt = schema.rebuilt.parse(await varve.json('rebuild'));
  expect(rebuilt).toMatchObject({ sameAsBefore: true, stateDigest: status.partitions[0]?.stateDigest });
  expect((await varve('state')).stdout).toContain(`state digest  ${rebuilt.stateDigest}`);
});

it('a write with the same idempotency key takes effect once', async () => {
  const before = (await varve.lines('reflog', 'main')).length;
  const write = () => varve.json<CreatedCommit>('commit', '--empty', '-m', 'once', '--idempotency-key', 'build-42');
  const [first, second] = [await write(), await write()];
  expect(second).toMatchObject({ commit: first.commit, replayed: true });
  expect((await varve.lines('reflog', 'main')).length).toBe(before + 1);
  const other = await varve('commit', '--empty', '-m', 'another', '--idempotency-key', 'build-42');
  expect(other.code).toBe(2);
  expect(other.stderr).toContain('IDEMPOTENCY_KEY_REUSED');
});

it('several repositories: the one meant must be said, by --repo or VARVE_REPO', async () => {
  await varve('init', 'team/other', '--branch', 'trunk');
  const asked = await varve('log');
  expect(asked.code).toBe(2);
  expect(asked.stderr).toMatch(/--repo app\n +--repo team\/other/);
  expect((await varve('branch', '--repo', 'team/other')).stdout).toMatch(/^\* trunk /);
  expect((await varve.with({ env: { VARVE_REPO: 'team/other' } }, 'branch')).stdout).toMatch(/^\* trunk /);
  expect((await varve('--repo', 'team/other', 'branch')).stdout).toMatch(/^\* trunk /);
});

it('version tells the command and the server', async () => {
  const versions = await varve.json<{ varve: string; server: string }>('version');
  expect(versions.server).toBe(versions.varve);
  expect((await varve('--version')).stdout).toBe(`${versions.varve}\n`);
});

it('interrupting a long command ends it with 130 and leaves the history alone', async () => {
  const before = await varve.json('status');
  const child = varve.start({}, 'commit', '-', '-m', 'never', '--repo', 'app');
  child.stdin.write(layer({ f: 'x'.repeat(100_000) }).tar.subarray(0, 50_000));
  await new Promise((resolve) => setTimeout(resolve, 500));
  child.kill('SIGINT');
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(130);
  expect(await varve.json('status')).toEqual(before);
});
