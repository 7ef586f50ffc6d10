import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ReflogMove, Transaction } from '#client/answer';
import { type Server, startServer } from './harness/server.js';
import { type Varve, varveAt } from './harness/varve.js';

const lost = 'ab'.repeat(16);

let server: Server;
let varve: Varve;
let made: ReflogMove;
beforeAll(async () => {
  server = await startServer();
  varve = varveAt(server.url);
  expect(await varve('init', 'app')).toMatchObject({ code: 0 });
  expect(await varve('branch', 'side', 'main', '-m', 'try it')).toMatchObject({ code: 0 });
  [made] = (await varve.lines<ReflogMove>('reflog', 'side')) as [ReflogMove];
});
afterAll(() => server?.stop());

it('says what became of a write that took effect', async () => {
  const { txid, position, time, to } = made;
  const shown = await varve('transaction', 'show', txid);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout.split('\n')).toEqual([
    `transaction  ${txid}`,
    'repository   app',
    'outcome      accepted',
    `position     ${position}`,
    `time         ${time}`,
    `move         side → ${to}`,
    '',
  ]);
  expect(await varve.json<Transaction>('transaction', 'show', txid, '--repo', 'app', '--gc-epoch', '0')).toEqual({
    txid,
    repo: 'app',
    position,
    time,
    outcome: 'accepted',
    commits: [],
    moves: [{ ref: 'refs/heads/side', commit: to, version: made.version }],
    error: null,
  });
});

it('does not end what has taken effect', async () => {
  const ended = await varve.json<Transaction>('transaction', 'cancel', made.txid, '--repo', 'app');
  expect(ended).toMatchObject({ txid: made.txid, outcome: 'accepted', error: null });
  expect(await varve('refs')).toMatchObject({ stdout: expect.stringContaining('side') as string });
});

it('ends what nobody knows of, once, and says so from then on', async () => {
  const unknown = await varve('transaction', 'show', lost, '--gc-epoch', '0');
  expect(unknown).toMatchObject({ code: 3, stdout: '' });
  expect(unknown.stderr).toBe(
    `varve: transaction ${lost} has no outcome (TRANSACTION_UNKNOWN)\n` +
      '       try: the same command again in a moment, or with cancel for show, which ends it\n',
  );
  const ended = await varve('transaction', 'cancel', lost, '--gc-epoch', '0');
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(ended.stdout).toContain('outcome      refused: TRANSACTION_CANCELLED: ');
  expect(await varve('transaction', 'cancel', lost, '--gc-epoch', '0')).toMatchObject({ stdout: ended.stdout });
  expect(await varve('transaction', 'show', lost)).toMatchObject({ code: 0, stdout: ended.stdout });
});

it.each([
  ['that is none', ['cancel', 'none'], { code: 2, error: 'REQUEST_INVALID' }],
  [
    'of a repository that is not there',
    ['cancel', lost, '--repo', 'nowhere'],
    { code: 3, error: 'REPOSITORY_UNKNOWN' },
  ],
  ['that nobody proposed', ['show', 'none'], { code: 3, error: 'TRANSACTION_UNKNOWN' }],
])('refuses a transaction %s as the doors do', async (_, args, { code, error }) => {
  const ran = await varve('transaction', ...args, '--json');
  expect({ code: ran.code, error: (JSON.parse(ran.stderr) as { error: { code: string } }).error.code }).toEqual({
    code,
    error,
  });
});

describe('a write that ends without an outcome', () => {
  const txid = 'cd'.repeat(16);
  let loses: HttpServer;
  let away: Varve;
  /** Everything passes but moves of refs, which are answered as by a server whose log is away. */
  beforeAll(async () => {
    loses = createServer((request, response) => {
      void (async () => {
        if (request.method === 'PUT') {
          const fields = { txid, repository: 'app', gcEpoch: 0 };
          const problem = { code: 'OUTCOME_UNKNOWN', detail: `transaction ${txid} has no outcome yet`, fields };
          response.writeHead(503, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
          return;
        }
        const body = await text(request);
        const headers = { 'content-type': 'application/json' };
        const init = { method: request.method ?? 'GET', ...(body === '' ? {} : { body, headers }) };
        const answer = await fetch(new URL(request.url ?? '/', server.url), init);
        const type = answer.headers.get('content-type') ?? '';
        response.writeHead(answer.status, { 'content-type': type }).end(await answer.text());
      })();
    }).listen(0, '127.0.0.1');
    await once(loses, 'listening');
    away = varveAt(`http://127.0.0.1:${(loses.address() as AddressInfo).port}`);
  });
  afterAll(() => loses.close());

  it('tells which command says what became of it, and that command ends it', async () => {
    const ran = await away('branch', 'other', 'main');
    expect(ran).toMatchObject({ code: 5, stdout: '' });
    const [, command = ''] = /try: varve (transaction show [^,]*),/.exec(ran.stderr) ?? [];
    expect(command).toBe(`transaction show ${txid} --repo app --gc-epoch 0`);
    expect(await away(...command.split(' '))).toMatchObject({ code: 3 });
    const ended = await away(...command.replace('show', 'cancel').split(' '));
    expect(ended.stdout).toContain('TRANSACTION_CANCELLED');
    expect(await away(...command.split(' '))).toMatchObject({ code: 0, stdout: ended.stdout });
  });
});

/** Last: collections pass epochs. */
it('knows when an outcome can never come any more', async () => {
  for (let n = 0; n < 2; n++) expect(await varve('gc')).toMatchObject({ code: 0 });
  const never = 'ef'.repeat(16);
  const ran = await varve('transaction', 'show', never, '--gc-epoch', '0');
  expect(ran).toMatchObject({ code: 5, stdout: '' });
  expect(ran.stderr).toContain('it never takes effect');
  expect(ran.stderr).toContain('(GC_EPOCH_STALE)');
  expect(await varve('transaction', 'show', never)).toMatchObject({ code: 3 });
});
