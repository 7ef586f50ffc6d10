import { randomBytes } from 'node:crypto';
import type { Transaction } from '#client/answer';
import type { AppProcess } from '../journey/harness/app-process.js';
import { realmOf, startApp } from '../journey/harness/cluster.js';
import { type Varve, varveAt } from '../journey/harness/varve.js';
import { createRepository, until } from './gateway-client.js';

let gateway: AppProcess;
let projector: AppProcess;
let varve: Varve;

beforeAll(async () => {
  const realm = await realmOf(randomBytes(8).toString('hex'), 2);
  [gateway, projector] = await Promise.all([startApp('gateway', realm), startApp('projector', realm)]);
  varve = varveAt(gateway.url as string);
  for (const repo of ['app', 'web']) expect((await createRepository(gateway.url as string, repo)).status).toBe(201);
}, 120_000);

afterAll(async () => {
  if (projector) process.kill(projector.pid, 'SIGCONT');
  await Promise.all([gateway, projector].map((one) => one?.end('SIGKILL')));
});

it('is told by the command that the failed one names: not yet while nobody projects, and then', async () => {
  process.kill(projector.pid, 'SIGSTOP');
  const ran = await varve('branch', 'side', 'main', '--repo', 'web');
  expect(ran).toMatchObject({ code: 5, stdout: '' });
  const [, command = ''] =
    /try: varve (transaction show [0-9a-f]+ --repo web --gc-epoch 0), which/.exec(ran.stderr) ?? [];
  const show = command.split(' ');
  const early = await varve(...show);
  expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining('(TRANSACTION_UNKNOWN)') as string });

  process.kill(projector.pid, 'SIGCONT');
  await until('it has an outcome', async () => (await varve(...show)).code === 0);
  const found = await varve.json<Transaction>(...show);
  expect(found).toMatchObject({ repo: 'web', outcome: 'accepted', moves: [{ ref: 'refs/heads/side' }] });
  expect(await varve.json<Transaction>(...command.replace('show', 'cancel').split(' '))).toEqual(found);
}, 120_000);
