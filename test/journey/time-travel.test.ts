import * as commit from '#proto/gen/varve/v1/commit';
import * as ref from '#proto/gen/varve/v1/ref';
import { layer } from '../fixture/layer-builder.js';
import { grpcAddress, GrpcCaller } from './harness/grpc.js';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

/** Every question that has a past. */
const questions = [
  'refs',
  'refs/main',
  'refs/side',
  'refs/v1',
  'tree-view',
  'commits?rev=main',
  'commits?rev=v1',
  'commits?rev=main~1..main',
  'commits/main',
  'commits/main/lints',
  'reflog',
  'reflog?ref=main',
  'resolve?rev=HEAD',
  'resolve?rev=side',
  'resolve?rev=main@%7B1%7D',
  'merge-base?a=main&b=side',
  'tree/main?recursive=true',
  'tree/main/content?path=etc/motd',
  'find?rev=main&name=*',
  'diff?from=side&to=main',
  'usage',
  'commits/main/rootfs.tar',
  'commits/side/rootfs.tar',
];

let server: Server;
let varve: Varve;
const steps: { readonly position: string; readonly time: string; readonly answers: readonly string[] }[] = [];

async function everything(at?: string): Promise<string[]> {
  const base = `${server.url}/api/v1`;
  const paths = ['repos', 'repos/app', ...questions.map((question) => `repos/app/${question}`)];
  return Promise.all(
    paths.map(async (path) => {
      const moment = at === undefined ? '' : `${path.includes('?') ? '&' : '?'}at=${encodeURIComponent(at)}`;
      const answer = await fetch(`${base}/${path}${moment}`);
      const body = Buffer.from(await answer.arrayBuffer()).toString('latin1');
      // A problem names the request that had it.
      return `${path}: ${answer.status}\n${body.replace(/"instance":"[^"]*"/, '')}`;
    }),
  );
}

async function step(...args: (readonly string[])[]): Promise<void> {
  for (const words of args) expect((await varve(...words, '--repo', 'app')).code).toBe(0);
  const [move] = await varve.lines<{ position: string; time: string }>('reflog', '-n', '1', '--repo', 'app');
  steps.push({ position: move!.position, time: move!.time, answers: await everything() });
  // The log's clock counts milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 5));
}

beforeAll(async () => {
  server = await startServer();
  varve = varveAt(server.url);
  const commitFile = async (text: string): Promise<void> => {
    const input = layer({ 'etc/motd': text, [`only-${text}`]: text }).blob;
    const words = ['commit', '-', '-m', text, '-b', 'main', '--repo', 'app', '--time', '2026-01-01T00:00:00Z'];
    expect((await varve.with({ input }, ...words)).code).toBe(0);
  };
  await step(['init', 'app']);
  await commitFile('one');
  await step(['branch', 'side', 'main']);
  await commitFile('two');
  await step(['tag', 'v1', 'main']);
  await step(['reset', 'main', 'main~1'], ['branch', '-d', 'side']);
  await step(['tag', '-d', 'v1'], ['rollback', 'main', '--to', '@{1}']);
});
afterAll(() => server?.stop());

describe('every question, as of', () => {
  it.each([0, 1, 2, 3, 4])('step %i, by position and by time, is answered as it was then', async (i) => {
    const { position, time, answers } = steps[i]!;
    expect(await everything(position)).toEqual(answers);
    expect(await everything(time)).toEqual(answers);
  });

  it('a time, is answered by the command too', async () => {
    const { stdout } = await varve('log', 'v1', '--oneline', '--repo', 'app', '--at', steps[2]!.time);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ').at(-1)),
    ).toEqual(['two', 'one', 'genesis']);
  });
});

describe('a ref at a position', () => {
  const revision = (i: number): string => `main@{position:${steps[i]!.position}}`;
  /** What `?at=` says of the same. */
  const expected = async (i: number): Promise<string> => {
    const { stdout } = await varve('rev-parse', 'main', '--repo', 'app', '--at', steps[i]!.position);
    return stdout.trim();
  };

  it('is what it was then, by the command, REST and gRPC', async () => {
    const caller = new GrpcCaller(grpcAddress(server));
    try {
      for (const i of steps.keys()) {
        const then = await expected(i);
        expect((await varve('rev-parse', revision(i), '--repo', 'app')).stdout.trim()).toBe(then);
        const rest = await fetch(`${server.url}/api/v1/repos/app/resolve?rev=${encodeURIComponent(revision(i))}`);
        expect(await rest.json()).toMatchObject({ commit: then });
        const asked = commit.ResolveRequest.create({ repo: 'app', rev: revision(i) });
        const { messages } = await caller.call(commit.CommitServiceService.resolve, [asked]);
        expect(messages).toMatchObject([{ commit: then }]);
      }
    } finally {
      caller.close();
    }
  });

  it('without a name is the default branch, and is a target of a rollback', async () => {
    const bare = `@{position:${steps[0]!.position}}`;
    const { code, stdout } = await varve('rev-parse', bare, '--repo', 'app');
    expect({ code, commit: stdout.trim() }).toEqual({ code: 0, commit: await expected(0) });
    await varve('branch', 'back', 'main', '--repo', 'app');
    const { position } = (await varve.lines<{ position: string }>('reflog', 'back', '--repo', 'app'))[0]!;
    await varve('reset', 'back', 'main~1', '--repo', 'app');
    expect((await varve('rollback', 'back', '--to', `@{position:${position}}`, '--repo', 'app')).code).toBe(0);
    const [back, main] = (await varve('rev-parse', 'back', 'main', '--repo', 'app')).stdout.trim().split('\n');
    expect(back).toBe(main);
  });

  it.each([
    ['of another log', 'lother.0.1', 410, 'POSITION_UNKNOWN'],
    ['of a partition that is not there', 'LOG.9.1', 410, 'POSITION_UNKNOWN'],
    ['behind the end of the log', 'LOG.0.99999', 503, 'NOT_PROJECTED'],
    ['before the repository', 'LOG.0.0', 404, 'COMMIT_UNKNOWN'],
    ['that is none', 'LOG', 400, 'NAME_INVALID'],
  ])('%s is refused', async (_what, template, status, code) => {
    const place = template.replace('LOG', steps[0]!.position.split('.')[0]!);
    const answer = await fetch(
      `${server.url}/api/v1/repos/app/resolve?rev=${encodeURIComponent(`main@{position:${place}}`)}`,
    );
    expect(await answer.json()).toMatchObject({ status, code });
  });
});

describe('a moment', () => {
  const ask = (at: string, ...words: string[]) => varve(...words, '--repo', 'app', '--at', at, '--json');
  const codeOf = ({ stderr }: { stderr: string }): string =>
    (JSON.parse(stderr) as { error: { code: string } }).error.code;

  it.each([
    ['before the repository', '2001-01-01T00:00:00Z', 'TIME_UNKNOWN'],
    ['in the future', '2999-01-01T00:00:00Z', 'TIME_UNKNOWN'],
    ['that is none', 'whenever', 'REQUEST_INVALID'],
    ['of another log', 'lffffffffff.0.1', 'POSITION_UNKNOWN'],
  ])('%s is refused, with what is wrong', async (_title, at, code) => {
    expect(codeOf(await ask(at, 'refs'))).toBe(code);
  });

  it('when nothing was there is told so, too, when no repository is named', async () => {
    expect(codeOf(await varve('refs', '--at', '2001-01-01T00:00:00Z', '--json'))).toBe('TIME_UNKNOWN');
  });

  it('that the graph has not reached is waited for, and then said', async () => {
    const [log] = steps[0]!.position.split('.');
    const answer = await fetch(`${server.url}/api/v1/repos/app/refs?at=${log}.0.99999`);
    expect(await answer.json()).toMatchObject({ status: 503, code: 'NOT_PROJECTED' });
  });

  it.each([
    ['the command', async () => codeOf(await ask(steps[0]!.time, 'tag', 'new', 'main'))],
    [
      'REST',
      async () => {
        const url = `${server.url}/api/v1/repos/app/rollback?at=${steps[0]!.position}`;
        const body = JSON.stringify({ ref: 'main', to: 'main' });
        const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
        return ((await answer.json()) as { code: string }).code;
      },
    ],
  ])('cannot be written to, by %s', async (_door, write) => {
    const before = await varve('refs', '--repo', 'app');
    expect(await write()).toBe('REQUEST_INVALID');
    expect(await varve('refs', '--repo', 'app')).toEqual(before);
  });

  it.each([['status'], ['audit checkpoint'], ['audit key'], ['fsck'], ['jobs'], ['eventlog export']])(
    'is nothing to varve %s, which tells of now',
    async (words) => {
      const { code, stderr } = await varve(...words.split(' '), '--at', steps[0]!.time);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('it has no --at') });
    },
  );

  it('is metadata over gRPC, and only of questions', async () => {
    const caller = new GrpcCaller(grpcAddress(server));
    try {
      const { listRefs, rollbackRef } = ref.RefServiceService;
      const metadata = { 'varve-at': steps[2]!.position };
      const then = await caller.call(listRefs, [ref.ListRefsRequest.create({ repo: 'app' })], { metadata });
      const names = then.messages.flatMap(({ refs }) => refs.map(({ name }) => name));
      expect(names).toEqual(['main', 'side', 'v1']);
      const write = ref.RollbackRefRequest.create({ repo: 'app', ref: 'main', to: 'main' });
      expect(await caller.call(rollbackRef, [write], { metadata })).toMatchObject({ code: 'REQUEST_INVALID' });
    } finally {
      caller.close();
    }
  });
});
