import { layer } from '../fixture/layer-builder.js';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

interface Ref {
  readonly ref: string;
  readonly commit: string;
  readonly version: number;
}

let server: Server;
let varve: Varve;
const api = (path: string): string => `${server.url}/api/v1/repos/app/${path}`;

beforeAll(async () => {
  server = await startServer();
  varve = varveAt(server.url);
  await varve('init', 'app');
  for (const name of ['one', 'two']) {
    await varve.with({ input: layer({ [name]: name }).blob }, 'commit', '-', '-m', name);
  }
});
afterAll(() => server?.stop());

const refs = (): Promise<Ref[]> => varve.json<Ref[]>('refs');
const idOf = async (rev: string): Promise<string> => (await varve('rev-parse', rev)).stdout.trim();

async function send(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  method: 'POST' | 'PUT' = 'POST',
) {
  const response = await fetch(api(path), {
    method,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, never> };
}

describe('several refs in one write', () => {
  it('move together, in one record', async () => {
    const input = Buffer.from('create heads/a main\ncreate tags/t1 main~1\n\nupdate heads/b main absent\n');
    const { code, stdout } = await varve.with({ input }, 'update-ref', '--stdin', '-m', 'release');
    expect({ code, lines: stdout.trim().split('\n').length }).toEqual({ code: 0, lines: 3 });
    const moves = await varve.lines<{ ref: string; position: string; reason: string }>('reflog', '-n', '3');
    expect(new Set(moves.map(({ position }) => position)).size).toBe(1);
    expect(moves.map(({ ref }) => ref)).toEqual(['refs/heads/b', 'refs/tags/t1', 'refs/heads/a']);
    expect(moves[0]?.reason).toBe('release');
  });

  it.each([
    ['one is elsewhere', 'update heads/a main~1 absent', 'REF_STALE', 4],
    ['one is no fast-forward', 'update heads/a main~1', 'NOT_FAST_FORWARD', 4],
    ['one tag would move', 'update tags/t1 main', 'TAG_IMMUTABLE', 4],
    ['one is not there', 'delete heads/none', 'REF_UNKNOWN', 3],
    ['one revision means nothing', 'create heads/n none', 'REF_UNKNOWN', 3],
    ['one is named twice', 'update heads/new main', 'REQUEST_INVALID', 2],
    ['one is forced blindly', 'force heads/a main~1 present', 'EXPECTATION_REQUIRED', 2],
    ['one line is none', 'move heads/a main', 'REQUEST_INVALID', 2],
    ['one name is none', 'create heads/.. main', 'NAME_INVALID', 2],
  ])('do not move when %s', async (_title, line, error, exit) => {
    const before = await refs();
    const input = Buffer.from(`create heads/new main\n${line}\n`);
    const { code, stderr } = await varve.with({ input }, 'update-ref', '--stdin', '--json');
    expect({ code, error: (JSON.parse(stderr) as { error: { code: string } }).error.code }).toEqual({
      code: exit,
      error,
    });
    expect(await refs()).toEqual(before);
  });

  it('are one write for a retry', async () => {
    const body = { updates: [{ ref: 'heads/keyed', to: 'main' }] };
    const first = await send('refs', body, { 'idempotency-key': 'batch-1' });
    const again = await send('refs', body, { 'idempotency-key': 'batch-1' });
    expect(first.status).toBe(200);
    expect(again.body).toEqual({ ...first.body, replayed: true });
    expect(first.headers.get('varve-position')).toBe(first.body['position']);
  });

  it('are 1 to 1000', async () => {
    const many = Array.from({ length: 1001 }, (_, i) => ({ ref: `heads/m${i}`, to: 'main' }));
    expect((await send('refs', { updates: many })).status).toBe(400);
    expect((await send('refs', { updates: [] })).status).toBe(400);
    expect((await send('refs', { updates: many.slice(1) })).body['refs']).toHaveLength(1000);
  });
});

describe('force', () => {
  it('says what it overwrites, and overwrites nothing else', async () => {
    await varve('branch', 'forced', 'main');
    const { commit, version } = await varve.json<Ref[]>('refs').then((all) => all.find(({ ref }) => ref === 'refs/heads/forced')!); // prettier-ignore
    const blind = await send('refs/heads%2Fforced', { to: 'main~1', mode: 'force' }, {}, 'PUT');
    expect([blind.status, blind.body['code']]).toEqual([428, 'EXPECTATION_REQUIRED']);
    const any = await send('refs/heads%2Fforced', { to: 'main~1', mode: 'force' }, { 'if-match': '*' }, 'PUT');
    expect(any.status).toBe(428);
    const sure = { 'if-match': `"${commit}.${version}"` };
    expect((await send('refs/heads%2Fforced', { to: 'main~1', mode: 'force' }, sure, 'PUT')).status).toBe(200);
    expect((await send('refs/heads%2Fforced', { to: 'main', mode: 'force' }, sure, 'PUT')).status).toBe(412);
  });

  it('is what reset does: once for a retry, and never over what came since', async () => {
    await varve('branch', 'lease', 'main');
    const reset = (...more: string[]) => varve('reset', 'lease', 'main~1', ...more);
    expect((await reset('--idempotency-key', 'lease-1')).code).toBe(0);
    await varve('reset', 'lease', 'main');
    expect((await reset('--idempotency-key', 'lease-1')).code).toBe(0);
    expect(await idOf('lease')).toBe(await idOf('main'));
    expect((await reset('--expect', `${await idOf('main')}.1`)).code).toBe(4);
  });
});

describe('a deleted ref', () => {
  it('is restored where it was', async () => {
    await varve('branch', 'gone', 'main~1');
    await varve('branch', '-d', 'gone');
    const { code, stdout } = await varve('restore', 'gone', '-m', 'too early');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `gone is now at ${(await idOf('main~1')).slice(0, 12)}\n` });
    const [last] = await varve.lines<{ operation: string; reason: string }>('reflog', 'gone', '-n', '1');
    expect(last).toMatchObject({ operation: 'restore', reason: 'too early' });
  });

  it('is a tag first when its name is bare', async () => {
    await varve('branch', 'twice', 'main');
    await varve('tag', 'twice', 'main~1');
    await varve('tag', '-d', 'twice');
    expect((await varve('restore', 'twice')).code).toBe(0);
    expect(await idOf('tags/twice')).toBe(await idOf('main~1'));
    await varve('branch', '-d', 'twice');
    expect((await varve('restore', 'twice')).code).toBe(0);
    expect(await idOf('heads/twice')).toBe(await idOf('main'));
  });

  it('is not restored when it is there, or never was', async () => {
    expect((await varve('restore', 'main')).code).toBe(4);
    const { code, stderr } = await varve('restore', 'never');
    expect({ code, says: stderr.includes('REF_UNKNOWN') }).toEqual({ code: 3, says: true });
  });

  it('answers a retry of its restoration', async () => {
    await varve('tag', 'again', 'main');
    await varve('tag', '-d', 'again');
    const body = { ref: 'tags/again' };
    const first = await send('restore', body, { 'idempotency-key': 'restore-1' });
    expect((await send('restore', body, { 'idempotency-key': 'restore-1' })).body).toEqual({ ...first.body, replayed: true }); // prettier-ignore
  });

  it('that is a tag comes back with its own commit, and with another only by force', async () => {
    await varve('tag', 'v9', 'main');
    await varve('tag', '-d', 'v9');
    const other = await varve('tag', 'v9', 'main~1');
    expect({ code: other.code, says: /TAG_TOMBSTONED[^]*varve restore/.test(other.stderr) }).toEqual({
      code: 4,
      says: true,
    });
    expect((await varve('tag', 'v9', 'main')).code).toBe(0);
    await varve('tag', '-d', 'v9');
    expect((await varve('tag', '--move', 'v9', 'main~1')).code).toBe(0);
    expect(await idOf('v9')).toBe(await idOf('main~1'));
  });
});
