import { spawnSync } from 'node:child_process';
import { VarveClient } from '#client/client';
import { neverRetry, retryableCodes } from '#client/retry';
import type { RequestBody } from '#client/transport';
import { isVarveError } from '#core/error';
import { errorRendering } from '#edge/error-rendering';
import { collect } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import { cuttingProxy } from './harness/bad-network.js';
import { type Server, startServer } from './harness/server.js';
import { cleanEnvironment } from './harness/server.js';
import { varveCommand } from './harness/varve.js';

let server: Server;
let client: VarveClient;
beforeAll(async () => {
  server = await startServer();
  client = new VarveClient({ server: server.url, actor: 'Zoë <zoe@example.org>' });
  await client.createRepository('app');
});
afterAll(async () => {
  client?.close();
  await server?.stop();
});

function body(bytes: Buffer): RequestBody {
  return {
    contentType: 'application/x-tar',
    sizeBytes: bytes.length,
    repeatable: true,
    open: async function* () {
      yield bytes;
    },
  };
}

it('sends a write again when the answer is lost, and it takes effect once', async () => {
  // The answer is cut inside its header: the server has written, the client does not know it.
  const proxy = await cuttingProxy(server.url, [30]);
  const far = new VarveClient({ server: proxy.url, actor: 'far' });
  const before = (await collect(client.commits('app'))).length;
  const made = await far.commitLayer('app', 'main', { layer: body(layer({ f: 'x' }).tar), message: 'lost answer' });
  expect(made.replayed).toBe(true);
  expect((await collect(client.commits('app'))).length).toBe(before + 1);
  expect(proxy.connections).toBe(2);
  far.close();
  await proxy.close();
});

it('does not send bytes of a pipe twice: it says that the outcome is unknown to it', async () => {
  const proxy = await cuttingProxy(server.url, [30]);
  const far = new VarveClient({ server: proxy.url, actor: 'far' });
  const pipe = { ...body(layer({ f: 'pipe' }).tar), sizeBytes: null, repeatable: false };
  const error = await far
    .commitLayer('app', 'main', { layer: pipe, message: 'once' })
    .catch((thrown: unknown) => thrown);
  expect(isVarveError(error, 'UNAVAILABLE')).toBe(true);
  expect(proxy.connections).toBe(1);
  far.close();
  await proxy.close();
});

it('reads its own writes, and never goes back', async () => {
  const made = await client.commitLayer('app', 'main', { layer: null, message: 'mine' });
  expect(client.position).toContain(made.position.split('.')[0]);
  expect((await client.commit('app', 'main')).id).toBe(made.commit);
});

it('hands text of every script over as it is', async () => {
  await client.commitLayer('app', 'main', {
    layer: null,
    message: 'Größe & 漢字 ?=#',
    author: 'Zoë',
    labels: ['ä=ö', 'b=1'],
  });
  expect(await client.commit('app', 'main')).toMatchObject({
    message: 'Größe & 漢字 ?=#',
    author: 'Zoë',
    labels: { ä: 'ö', b: '1' },
  });
  const [move] = await collect(client.reflog('app', { ref: 'main' }));
  expect(move?.actor.name).toBe('Zoë <zoe@example.org>');
});

it('fetches a long log in pages', async () => {
  const all = await collect(client.commits('app'));
  expect(await collect(client.commits('app', { pageSize: 1 }))).toEqual(all);
  const moves = await collect(client.reflog('app'));
  expect(await collect(client.reflog('app', { pageSize: 1 }))).toEqual(moves);
});

it('compares and swaps: a write on a value that is gone is REF_STALE, also when it must not exist', async () => {
  const { commit, version } = await client.ref('app', 'refs/heads/main');
  const write = (expect_: string) =>
    client.commitLayer('app', 'main', { layer: null, message: 'cas', expect: expect_ });
  await write(`${commit}.${version}`);
  expect(isVarveError(await write(`${commit}.${version}`).catch((error: unknown) => error), 'REF_STALE')).toBe(true);
  const again = client
    .moveRef('app', 'refs/heads/main', { to: 'main', expect: 'absent' })
    .catch((error: unknown) => error);
  expect(isVarveError(await again, 'REF_STALE')).toBe(true);
});

it('stops at once when it is told to', async () => {
  const stop = new AbortController();
  const stopped = new VarveClient({ server: server.url, actor: 'x', signal: stop.signal });
  const endless: RequestBody = {
    ...body(Buffer.alloc(0)),
    sizeBytes: null,
    repeatable: false,
    open: async function* () {
      for (;;) {
        yield Buffer.alloc(512, 0x61);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
  const running = stopped
    .commitLayer('app', 'main', { layer: endless, message: 'endless' })
    .catch((error: unknown) => error);
  setTimeout(() => stop.abort(), 100);
  const error = await running;
  expect(isVarveError(error) && ['CANCELLED', 'LAYER_INVALID']).toContainEqual((error as { code: string }).code);
  stopped.close();
});

it('learns the outcome of a transaction that it had no answer for', async () => {
  const [move] = await collect(client.reflog('app', { pageSize: 1 }));
  const found = await client.transaction(move?.txid ?? '');
  expect(found).toMatchObject({ repo: 'app', outcome: 'accepted', error: null });
  const unknown = await client.transaction('0'.repeat(32)).catch((error: unknown) => error);
  expect(isVarveError(unknown, 'TRANSACTION_UNKNOWN')).toBe(true);
});

it('says of something else at that address that it is no Varve', async () => {
  const wrong = new VarveClient({ server: `${server.url}/somewhere/else`, actor: 'x', retry: neverRetry });
  const error = await wrong.repositories().catch((thrown: unknown) => thrown);
  expect(isVarveError(error)).toBe(true);
  wrong.close();
});

it('refuses an actor that no header can carry', async () => {
  const { status, stderr } = spawnSync(varveCommand, ['repos'], {
    env: cleanEnvironment({ VARVE_SERVER: server.url, VARVE_ACTOR: 'two\nlines' }),
  });
  expect(status).toBe(2);
  expect(stderr.toString()).toContain('REQUEST_INVALID');
});

it('tries again only after codes that the server too calls worth it', () => {
  for (const code of retryableCodes) expect(errorRendering[code].retryAfterSeconds).not.toBeNull();
});
