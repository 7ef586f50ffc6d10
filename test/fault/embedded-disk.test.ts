import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { canMountSmallDisk } from '../fixture/bytes-small-disk.js';
import { until } from '../cluster/gateway-client.js';
import { randomOf } from '../journey/harness/random.js';
import { type Server, startAndFail, startServer } from '../journey/harness/server.js';
import { storedIn } from '../journey/harness/stored.js';
import { varveAt } from '../journey/harness/varve.js';
import { Tellers } from './embedded-tellers.js';
import { setImmutable, Volume, volumeKinds } from './embedded-volume.js';
import { seed } from './fault-row.js';

const random = randomOf(seed);
const told = `(VARVE_TEST_SEED=${seed})`;
const ifMounted = canMountSmallDisk() ? describe : describe.skip;

let server: Server | undefined;
let volume: Volume | undefined;
afterEach(async () => {
  await server?.kill();
  volume?.remove();
  [server, volume] = [undefined, undefined];
});

/** After the cause is gone, without a start: everything told is so, writes go on, and all is sound; then after a start, too. */
async function expectHealed(tellers: Tellers, data: string): Promise<void> {
  const { url } = server as Server;
  await until('it is ready', async () => (await fetch(`${url}/readyz`)).status === 200);
  await tellers.settle(url);
  const before = tellers.count('acknowledged');
  tellers.start(url);
  await until('writes go on', async () => tellers.count('acknowledged') > before + 10);
  await tellers.stop();
  await tellers.settle(url);
  await tellers.expectKept(url);
  await tellers.expectReadable(url);
  expect((await storedIn(data)).staging).toEqual([]);
  expect(await varveAt(url)('fsck')).toMatchObject({ code: 0 });
  expect(await (server as Server).stop()).toBe(0);
  server = await startServer({ data });
  await tellers.expectKept(server.url);
  expect(await varveAt(server.url).json('rebuild')).toMatchObject({ sameAsBefore: true });
  expect(await varveAt(server.url)('fsck', '--quick')).toMatchObject({ code: 0 });
}

ifMounted.each(volumeKinds)(`a disk that fills up, with %s (needs root) ${told}`, (kind) => {
  it('refuses what does not fit, keeps what it acknowledged, is read meanwhile, and goes on when there is room', async () => {
    volume = Volume.mount(kind, 96);
    const data = join(volume.folder, 'data');
    server = await startServer({ data });
    const tellers = await Tellers.prepare(server.url, seed);
    for (let round = 0; round < 3; round += 1) {
      const before = tellers.count('refused') + tellers.count('unknown');
      tellers.start(server.url);
      volume.fill(Math.floor(random() * 2_000_000));
      await until('it is full', async () => tellers.count('refused') + tellers.count('unknown') > before + 20);
      await tellers.stop();
      await tellers.expectReadable(server.url);
      await tellers.expectKept(server.url);
      volume.makeRoom();
      await until('it is ready', async () => (await fetch(`${server?.url}/readyz`)).status === 200);
      await tellers.settle(server.url);
    }
    expect(tellers.codes.get('STORAGE_FULL')).toBeGreaterThan(20);
    await expectHealed(tellers, data);
  }, 240_000);

  it('starts on one that is full, or says why it does not', async () => {
    volume = Volume.mount(kind, 64);
    const data = join(volume.folder, 'data');
    server = await startServer({ data });
    const tellers = await Tellers.prepare(server.url, seed);
    tellers.start(server.url);
    await until('something is written', async () => tellers.count('acknowledged') > 30);
    await server.kill();
    await tellers.stop();
    volume.fill(0);
    for (const room of [0, 40_000, 200_000, 1_000_000]) {
      volume.makeRoom();
      volume.fill(room);
      const { code, output, isUp } = await startOrFail(data);
      if (!isUp)
        expect({ code, output }).toEqual({ code: 5, output: expect.stringContaining('STORAGE_FULL') as string });
    }
    volume.makeRoom();
    server = await startServer({ data });
    await expectHealed(tellers, data);
  }, 240_000);
});

/** It may come up, if there is room enough; then it is stopped again. */
async function startOrFail(data: string): Promise<{ isUp: boolean; code: number | null; output: string }> {
  try {
    const up = await startServer({ data });
    return { isUp: true, code: await up.stop(), output: up.output() };
  } catch {
    return { isUp: false, ...(await startAndFail({ data })) };
  }
}

ifMounted(`a disk that must not be written (needs root) ${told}`, () => {
  it('is refused at the start, whole, and served when it may be written again', async () => {
    volume = Volume.mount('ext4', 64);
    const data = join(volume.folder, 'data');
    server = await startServer({ data });
    const tellers = await Tellers.prepare(server.url, seed);
    tellers.start(server.url);
    await until('something is written', async () => tellers.count('acknowledged') > 20);
    await tellers.stop();
    await server.kill();
    volume.remount('ro');
    const { code, output } = await startAndFail({ data });
    expect({ code, output }).toEqual({
      code: 5,
      output: expect.stringContaining(`UNAVAILABLE: the data folder ${data} cannot be used: EROFS`) as string,
    });
    expect(output).not.toMatch(/^ +at /m);
    volume.remount('rw');
    server = await startServer({ data });
    await expectHealed(tellers, data);
  }, 240_000);

  it.each([
    ['the log', 'log.db-wal'],
    ['the graph', 'graph.db-wal'],
    ['the audit trees', 'audit.db-wal'],
    ['the job queue', 'jobs.db-wal'],
    ['what is staged', 'staging'],
    ['the stored blobs', 'blobs/sha256'],
  ])(
    'where %s cannot be written for a while: what is there is read, nothing is lost, and it goes on by itself',
    async (_, file) => {
      volume = Volume.mount('ext4', 64);
      const data = join(volume.folder, 'data');
      server = await startServer({ data });
      const tellers = await Tellers.prepare(server.url, seed);
      tellers.start(server.url);
      await until('something is written', async () => tellers.count('acknowledged') > 20);
      const path = join(data, file);
      expect(existsSync(path)).toBe(true);
      setImmutable(path, true);
      try {
        const before = tellers.count('unknown') + tellers.count('acknowledged');
        await until(
          'it is noticed, or does not matter',
          async () => tellers.count('unknown') + tellers.count('acknowledged') > before + 10,
        );
        await tellers.stop();
        await tellers.expectReadable(server.url);
      } finally {
        setImmutable(path, false);
      }
      await expectHealed(tellers, data);
    },
    240_000,
  );
});
