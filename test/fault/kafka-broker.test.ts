import { setTimeout as sleep } from 'node:timers/promises';
import { brokerCount, FaultWorld } from './fault-world.js';
import { faultRow, seed } from './fault-row.js';

let world: FaultWorld;
beforeAll(async () => (world = await FaultWorld.start()), 240_000);
afterAll(() => world?.stop(), 60_000);

describe(`a broker that fails under load (VARVE_TEST_SEED=${seed})`, () => {
  it('is killed, and comes back on its data', async () => {
    const seen = await faultRow(world, 'broker-killed', async ({ random }) => {
      await sleep(random() * 500);
      await world.kafka.kill(Math.floor(random() * brokerCount));
      await sleep(random() * 2_000);
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('hangs for some seconds, and goes on', async () => {
    const seen = await faultRow(world, 'broker-frozen', async ({ random }) => {
      world.kafka.signal('SIGSTOP', Math.floor(random() * brokerCount));
      await sleep(5_000 + random() * 7_000);
      world.kafka.signal('SIGCONT');
    });
    expect(seen.operations).toBeGreaterThan(60);
  });
});
