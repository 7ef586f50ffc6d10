import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HealthCheckRequest, HealthCheckResponse_ServingStatus, HealthService } from '#proto/gen/grpc/health/v1/health';
import { type AppProcess, projectRoot } from '../journey/harness/app-process.js';
import { type Realm, realmOf, startApp } from '../journey/harness/cluster.js';
import { grpcAddress, GrpcCaller } from '../journey/harness/grpc.js';
import { ask, askAt, commitFile, createRepository, messagesAt, until } from './gateway-client.js';

/** Servers of its own, because it takes them away: the same scripts, another state. */
class OwnServers {
  readonly #state: string;
  readonly #replaced = new Map<string, string | undefined>();

  private constructor(state: string) {
    this.#state = state;
  }

  static async up(): Promise<OwnServers> {
    const servers = new OwnServers(await mkdtemp(join(tmpdir(), 'varve-lost-')));
    await servers.run('up', 'kafka', 'redis', 'minio');
    for (const line of (await servers.run('env')).split('\n').filter(Boolean)) {
      const [name, value] = line.split(/=(.*)/s) as [string, string];
      servers.#replaced.set(name, process.env[name]);
      process.env[name] = value;
    }
    return servers;
  }

  async run(...args: string[]): Promise<string> {
    const env = { ...process.env, VARVE_SERVICES_STATE: this.#state };
    const { stdout } = await promisify(execFile)(join(projectRoot, 'scripts/services.sh'), args, { env });
    return stdout;
  }

  /** As the kernel's out-of-memory killer would. */
  kill(server: string): void {
    for (const pid of readFileSync(join(this.#state, server, 'pid'), 'utf8')
      .split('\n')
      .filter(Boolean)) {
      process.kill(Number(pid), 'SIGKILL');
    }
  }

  async down(): Promise<void> {
    await this.run('down');
    for (const [name, value] of this.#replaced) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await rm(this.#state, { recursive: true, force: true });
  }
}

let servers: OwnServers;
let realm: Realm;
let gateway: AppProcess;
let behind: AppProcess[] = [];
let url: string;
let grpc: GrpcCaller;
let step = 0;
let position: string;

beforeAll(async () => {
  servers = await OwnServers.up();
  realm = await realmOf(randomBytes(8).toString('hex'), 2);
  [gateway, ...behind] = await Promise.all([
    startApp('gateway', realm),
    startApp('projector', realm),
    startApp('materializer', realm),
  ]);
  url = gateway.url as string;
  grpc = new GrpcCaller(grpcAddress(gateway));
  expect((await createRepository(url, 'app')).status).toBe(201);
  for (let n = 0; n < 5; n++) position = (await commitFile(url, 'app', `file-${step++}`)).position as string;
}, 180_000);
afterAll(async () => {
  grpc?.close();
  await Promise.all([gateway, ...behind].map((one) => one?.end('SIGKILL')));
  await servers?.down();
}, 60_000);

/** Both doors say the same, each as its clients ask. */
async function readiness(): Promise<'ready' | 'not ready' | 'undecided'> {
  const rest = (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200;
  const { messages } = await grpc.call(HealthService.check, [HealthCheckRequest.create()]);
  const serving = messages[0]?.status === HealthCheckResponse_ServingStatus.SERVING;
  if (rest !== serving) return 'undecided';
  return rest ? 'ready' : 'not ready';
}

async function isReady(): Promise<boolean> {
  return (await readiness()) === 'ready';
}

async function isNotReady(): Promise<boolean> {
  return (await readiness()) === 'not ready';
}

/** The same write until it is done: whatever became of the copies before, it takes effect once. */
async function settle(name: string): Promise<void> {
  await until(`${name} is written`, async () => {
    const answer = await commitFile(url, 'app', name);
    if (answer.status === 201) position = answer.position as string;
    else expect(answer).toMatchObject({ status: 503, retryAfter: expect.any(String) as string });
    return answer.status === 201;
  });
}

async function expectWhole(): Promise<void> {
  const messages = await messagesAt(url, 'app', position);
  expect(messages.slice(0, -1).toReversed()).toEqual(Array.from({ length: step }, (_, n) => `file-${n}`));
}

it('without the graph answers 503 to writes and to reads at a position, never less; and is whole again by itself', async () => {
  const atRisk = position;
  servers.kill('redis');
  const name = `file-${step++}`;
  const write = await commitFile(url, 'app', name);
  expect(write).toMatchObject({ status: 503, retryAfter: expect.any(String) as string });
  expect(['UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(write.code);
  const read = await askAt(url, '/repos/app', atRisk);
  expect(read).toMatchObject({ status: 503, retryAfter: expect.any(String) as string });
  await until('not ready', isNotReady);

  // It comes back empty: the graph is made again from the log.
  await servers.run('up', 'redis');
  const seen = new Set<number>();
  await until('the position is visible', async () => {
    const { status } = await askAt(url, '/repos/app', atRisk);
    seen.add(status);
    return status === 200;
  });
  expect([...seen].filter((status) => status !== 200 && status !== 503)).toEqual([]);
  await settle(name);
  await until('ready', isReady);
  await expectWhole();
}, 180_000);

it('without the log writes nothing, tells the transaction it cannot tell of, and reads what is there', async () => {
  servers.kill('kafka');
  const name = `file-${step++}`;
  const write = await commitFile(url, 'app', name);
  expect(write).toMatchObject({ status: 503, retryAfter: expect.any(String) as string });
  expect(['UNAVAILABLE', 'OUTCOME_UNKNOWN']).toContain(write.code);
  if (write.code === 'OUTCOME_UNKNOWN') {
    expect(write.json['fields']).toMatchObject({ txid: expect.stringMatching(/^[0-9a-f]+$/) as string });
  }
  await expect(messagesAt(url, 'app', position)).resolves.toHaveLength(step);
  await until('not ready', isNotReady);

  await servers.run('up', 'kafka');
  await settle(name);
  await until('ready', isReady);
  await expectWhole();
}, 180_000);

it('without the blob store takes no layer, goes on with what needs none, and recovers', async () => {
  servers.kill('minio');
  const name = `file-${step++}`;
  expect(await commitFile(url, 'app', name)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
  await until('not ready', isNotReady);
  const branch = await ask(url, `/repos/app/refs/${encodeURIComponent('refs/heads/side')}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: 'main' }),
  });
  expect([200, 201]).toContain(branch.status);

  await servers.run('up', 'minio');
  await settle(name);
  await until('ready', isReady);
  await expectWhole();
}, 180_000);

it('has no process that ended over it', () => {
  expect([gateway, ...behind].map(({ isOver }) => isOver)).toEqual([false, false, false]);
});
