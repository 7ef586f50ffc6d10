import { setTimeout as sleep } from 'node:timers/promises';
import { faultRow, type Hit, seed } from './fault-row.js';
import { brokerCount, FaultWorld, type Place } from './fault-world.js';

let world: FaultWorld;
beforeAll(async () => (world = await FaultWorld.start()), 300_000);
afterAll(() => world?.stop(), 60_000);

/** One thing more that is wrong, or one less. */
async function change({ random }: Hit): Promise<string> {
  const place = world.places[Math.floor(random() * world.places.length)] as Place;
  const broker = Math.floor(random() * brokerCount);
  const link = world.link(place, 'kafka', broker);
  const what = random();
  if (!world.isRunning(place)) {
    // Its way may be cut: then it does not start, and somebody else tries again.
    for (const way of world.links(place, 'kafka')) way.heal();
    await world.startProcess(place).catch(() => undefined);
    return `${place} starts`;
  }
  if (what < 0.15) await world.kill(place);
  else if (what < 0.3) world.freeze(place);
  else if (what < 0.5) world.thaw(place);
  else if (what < 0.6) link.cut();
  else if (what < 0.7) link.silence();
  else if (what < 0.8) link.heal();
  else if (what < 0.87) world.kafka.signal('SIGSTOP', broker);
  else if (what < 0.95) world.kafka.signal('SIGCONT', broker);
  else {
    await world.kafka.kill(broker);
    await world.kafka.restart(broker);
  }
  return `${place} ${what}`;
}

it(`everything goes wrong at once, and is sound afterwards (VARVE_TEST_SEED=${seed})`, async () => {
  const changes: string[] = [];
  const seen = await faultRow(world, 'everything', async (hit) => {
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(hit.random() * 1_500)) {
      changes.push(await change(hit));
    }
  });
  expect(changes.length).toBeGreaterThan(5);
  expect(seen.operations).toBeGreaterThan(60);
});
