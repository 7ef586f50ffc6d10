import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../cluster/gateway-client.js';
import { faultRow, seed } from './fault-row.js';
import { FaultWorld, type Place } from './fault-world.js';

let world: FaultWorld;
beforeAll(async () => (world = await FaultWorld.start()), 300_000);
afterAll(() => world?.stop(), 60_000);

const gateways: readonly Place[] = ['gateway-1', 'gateway-2'];
const projectors: readonly Place[] = ['projector-1', 'projector-2'];
const linksOf = (places: readonly Place[]) => places.flatMap((place) => world.links(place, 'redis'));

/** When the graph shows again what it has lost. */
function filled(): Promise<void> {
  const answer = async (url: string) => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200;
  return until(
    'both gateways are ready',
    async () => (await Promise.all(world.gateways.map(answer))).every(Boolean),
    120_000,
  );
}

describe(`a Redis that fails under load (VARVE_TEST_SEED=${seed})`, () => {
  it('is killed, and starts with nothing', async () => {
    const seen = await faultRow(
      world,
      'redis-killed-empty',
      async ({ load, random }) => {
        for (let round = 0; round < 2; round += 1) {
          await sleep(random() * 500);
          await world.redis.kill();
          await sleep(random() * 2_000);
          await world.redis.start();
          await filled();
          await load.more(10);
        }
      },
      { goesBack: true },
    );
    expect(seen.operations).toBeGreaterThan(80);
  });

  it('goes back to an older snapshot', async () => {
    const seen = await faultRow(
      world,
      'redis-rolled-back',
      async ({ load, random }) => {
        for (let round = 0; round < 2; round += 1) {
          await world.redis.snapshot();
          await load.more(15 + Math.floor(random() * 10));
          await world.redis.goBack();
          await filled();
          await load.more(10);
        }
      },
      { goesBack: true },
    );
    expect(seen.operations).toBeGreaterThan(80);
  });

  it('hangs for some seconds, and goes on', async () => {
    const seen = await faultRow(world, 'redis-frozen', async ({ random }) => {
      world.redis.freeze();
      await sleep(5_000 + random() * 7_000);
      world.redis.thaw();
      await filled();
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('forgets its scripts again and again', async () => {
    let flushed = 0;
    await faultRow(world, 'redis-scripts-flushed', async ({ load }) => {
      const enough = load.more(40);
      for (let isOver = false; !isOver; flushed += 1) {
        await world.redis.ask((client) => client.script('FLUSH'));
        isOver = await Promise.race([enough.then(() => true), sleep(20, false)]);
      }
      await enough;
    });
    expect(flushed).toBeGreaterThan(5);
  });

  it('has no memory left, and then some', async () => {
    let refused = '';
    await faultRow(world, 'redis-full', async ({ random }) => {
      for (const room of [Math.floor(random() * 50_000), 0]) {
        await world.redis.ask(async (client) => {
          const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
          await client.config('SET', 'maxmemory', used + room);
        });
        await sleep(5_000);
        refused = await world.redis.ask((client) => client.set('probe', 'x').catch((error: Error) => error.message));
        await world.redis.ask((client) => client.config('SET', 'maxmemory', 0));
        await world.redis.ask((client) => client.del('probe'));
        await filled();
      }
    });
    expect(refused).toMatch(/^OOM/);
  });

  it('cannot be reached by projectors, then by gateways: reset, and without a word', async () => {
    const seen = await faultRow(world, 'redis-links-cut', async () => {
      for (const places of [projectors, gateways.slice(0, 1), gateways]) {
        for (const link of linksOf(places)) link.cut();
        await sleep(3_000);
        for (const link of linksOf(places)) link.heal();
        await filled();
        for (const link of linksOf(places)) link.silence();
        await sleep(6_000);
        for (const link of linksOf(places)) link.heal();
        await filled();
      }
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('loses connections in the middle of what they say', async () => {
    let torn = 0;
    await faultRow(world, 'redis-torn', async ({ load, random }) => {
      for (const link of linksOf([...projectors, ...gateways])) {
        link.rule(() => {
          if (random() < 0.97) return 'pass';
          torn += 1;
          return 'tear';
        });
      }
      await load.more(40);
    });
    expect(torn).toBeGreaterThan(5);
  });
});
