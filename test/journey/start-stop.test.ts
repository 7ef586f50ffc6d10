import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { layer } from '../fixture/layer-builder.js';
import { mountSmallDisk } from '../fixture/bytes-small-disk.js';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { type Workspace, workspace } from './harness/archives.js';
import { embedded } from './harness/mode.js';
import { cleanEnvironment, startAndFail, startServer } from './harness/server.js';
import { type Stored, storedIn } from './harness/stored.js';
import { finished, varveAt, varveCommand } from './harness/varve.js';
import { spawn } from 'node:child_process';

let work: Workspace;
beforeAll(async () => {
  work = await workspace();
});
afterAll(() => work?.remove());

it('keeps everything over a stop and a start, also when the graph was deleted', async () => {
  const data = join(work.path, 'kept');
  const first = await startServer({ data });
  const varve = varveAt(first.url);
  await varve('init', 'app');
  await varve.with({ input: layer({ f: 'x' }).tar }, 'commit', '-', '-m', 'one');
  const [status, log] = [await varve.json('status'), await varve.lines('log')];
  expect(await first.stop()).toBe(0);

  const second = await startServer({ data });
  expect(await varveAt(second.url).json('status')).toEqual(status);
  await second.stop();
  for (const end of ['', '-wal', '-shm']) await rm(join(data, `graph.db${end}`), { force: true });
  const third = await startServer({ data });
  expect(await varveAt(third.url).json('status')).toEqual(status);
  expect(await varveAt(third.url).lines('log')).toEqual(log);
  expect(await third.stop()).toBe(0);
});

embedded('a gateway is started by those who know what to try').it(
  'says where it listens and what to try next',
  async () => {
    const server = await startServer();
    expect(server.output()).toContain(server.url);
    expect(server.output()).toContain('varve load');
    await server.stop();
  },
);

embedded('varve serve is the one process').it(
  'varve serve becomes the server, from any folder, with ./data below it',
  async () => {
    const folder = join(work.path, 'serve here');
    mkdirSync(folder);
    const child = spawn(varveCommand, ['serve'], {
      cwd: folder,
      env: cleanEnvironment({ VARVE_LISTEN: '127.0.0.1:0' }),
    });
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += text.toString()));
    while (!/http:\/\/\S+/.test(said)) await once(child.stdout, 'data');
    const varve = varveAt(/http:\/\/\S+/.exec(said)![0]);
    expect((await varve('init', 'here')).code).toBe(0);
    child.kill('SIGTERM');
    expect((await once(child, 'close'))[0]).toBe(0);
    expect(execFileSync('ls', [join(folder, 'data')]).toString()).toContain('log.db');
  },
);

embedded('an object store shows nothing of an upload that small').it(
  'finishes an upload in flight before it stops',
  async () => {
    const server = await startServer();
    const varve = varveAt(server.url);
    await varve('init', 'app');
    const bytes = layer({ f: randomBytesOf(1, 200_000) }).tar;
    const child = varve.start({}, 'commit', '-', '-m', 'in flight', '--json');
    child.stdin.write(bytes.subarray(0, 100_000));
    // In flight is when the server has begun to keep it; how soon that is depends on the machine.
    while ((await storedIn(server.data)).staging.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const stopped = server.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const ran = await finished(child, bytes.subarray(100_000));
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(await stopped).toBe(0);
  },
);

embedded('it is about the one process').it('refuses a port that is taken, with PORT_IN_USE and 2', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, output } = await startAndFail({
    data: join(work.path, 'port'),
    env: { VARVE_LISTEN: `127.0.0.1:${port}` },
  });
  other.close();
  expect({ code, output }).toEqual({
    code: 2,
    output: expect.stringMatching(new RegExp(`PORT_IN_USE.*127\\.0\\.0\\.1:${port}`)) as string,
  });
});

embedded('servers are shared').it(
  'refuses a data folder that another process has, with DATA_IN_USE and 2, and takes it when that process was killed',
  async () => {
    const data = join(work.path, 'owned');
    const owner = await startServer({ data });
    await varveAt(owner.url)('init', 'app');
    const { code, output } = await startAndFail({ data });
    expect({ code, output }).toEqual({ code: 2, output: expect.stringMatching(/DATA_IN_USE[\s\S]*owned/) as string });
    expect((await varveAt(owner.url)('repos')).stdout).toContain('app');
    await owner.kill();
    const next = await startServer({ data });
    expect((await varveAt(next.url)('repos')).stdout).toContain('app');
    await next.stop();
  },
);

embedded('it is about the one process').it('refuses a configuration with mistakes, and names all of them', async () => {
  const env = { VARVE_LISTEN: 'nowhere', VARVE_GRPAH: 'memory:', VARVE_BLOB_STORE: 'ftp:x' };
  const { code, output } = await startAndFail({ data: join(work.path, 'config'), env });
  expect(code).toBe(2);
  expect(output).toMatch(/CONFIG_INVALID/);
  for (const name of Object.keys(env)) expect(output).toContain(name);
});

embedded('servers need no folder').it('refuses a data folder that cannot be made', async () => {
  const file = join(work.path, 'a-file');
  writeFileSync(file, '');
  const { code, output } = await startAndFail({ data: join(file, 'data') });
  expect(code).not.toBe(0);
  expect(output).toContain('a-file');
  expect(output).not.toMatch(/^ +at /m);
});

embedded('the disk is that of the servers').describe('a disk that fills up', () => {
  const layerBytes = layer({ big: randomBytesOf(7, 12 << 20) }).tar;

  interface Disk {
    readonly data: string;
    readonly wrapper?: string;
    makeRoom(): void;
  }

  async function expectRecovery({ data, wrapper, makeRoom }: Disk): Promise<void> {
    const full = await startServer({ data, ...(wrapper === undefined ? {} : { wrapper }) });
    let before: { status: unknown; stored: Stored };
    try {
      const varve = varveAt(full.url);
      await varve('init', 'app');
      await varve.with({ input: layer({ small: 'x' }).tar }, 'commit', '-', '-m', 'fits');
      before = { status: await varve.json('status'), stored: await storedIn(data) };
      expect(before.stored.staging).toEqual([]);

      const refused = await varve.with({ input: layerBytes }, 'commit', '-', '-m', 'does not fit');
      expect({ code: refused.code, stderr: refused.stderr }).toEqual({
        code: 5,
        stderr: expect.stringMatching(/^varve: .*\(STORAGE_FULL\)\n.*\n$/) as string,
      });
      expect({ status: await varve.json('status'), stored: await storedIn(data) }).toEqual(before);
      expect((await varve('checkout', 'main', '-o', '-')).bytes.length).toBeGreaterThan(512);
    } finally {
      await full.stop();
    }

    makeRoom();
    const roomy = await startServer({ data });
    try {
      expect(await varveAt(roomy.url).json('status')).toEqual(before.status);
      expect((await varveAt(roomy.url).with({ input: layerBytes }, 'commit', '-', '-m', 'fits now')).code).toBe(0);
    } finally {
      await roomy.stop();
    }
  }

  it('refuses what does not fit with STORAGE_FULL and 5, keeps what is there, and goes on when there is room', async () => {
    const disk = mountSmallDisk(8 << 20);
    // Where nothing may be mounted, the limit on the size of files of the next test stands alone for the full disk.
    if (!disk) return expectRecovery(limited('no-mount', 8000));
    try {
      const makeRoom = (): void => void execFileSync('mount', ['-o', `remount,size=${64 << 20}`, disk.folder]);
      await expectRecovery({ data: disk.folder, makeRoom });
    } finally {
      disk.remove();
    }
    return undefined;
  });

  it('refuses a larger file than the limit of the process allows, in the same way', () =>
    expectRecovery(limited('ulimit', 4000)));

  /** A limit in blocks of 512 bytes; the signal that comes with it is ignored by the shell, and so by its children. */
  function limited(name: string, blocks: number): Disk {
    return {
      data: join(work.path, name),
      wrapper: `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`,
      makeRoom: () => undefined,
    };
  }
});
