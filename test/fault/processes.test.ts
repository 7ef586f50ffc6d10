import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../cluster/gateway-client.js';
import { faultRow, seed } from './fault-row.js';
import { FaultWorld, type Place } from './fault-world.js';
import { produceKey } from './kafka-frames.js';

let world: FaultWorld;
beforeAll(async () => (world = await FaultWorld.start()), 240_000);
afterAll(() => world?.stop(), 60_000);

describe(`processes that fail under load (VARVE_TEST_SEED=${seed})`, () => {
  it('a gateway is killed after its append stands and before it can say so', async () => {
    const killed: Promise<void>[] = [];
    await faultRow(world, 'gateway-killed-before-answer', async ({ load }) => {
      for (let round = 0; round < 2; round += 1) {
        const place: Place = round === 0 ? 'gateway-1' : 'gateway-2';
        for (const link of world.links(place, 'kafka')) {
          link.rule(({ direction, key }) => {
            if (direction !== 'answer' || key !== produceKey) return 'pass';
            if (killed.length === round) killed.push(world.kill(place));
            return 'break';
          });
        }
        await until('it is killed', async () => killed.length > round);
        await Promise.all(killed);
        await load.more(20);
        await world.heal();
      }
    });
    expect(killed).toHaveLength(2);
  });

  it('a gateway hangs, and answers late', async () => {
    const seen = await faultRow(world, 'gateway-frozen', async ({ random }) => {
      world.freeze('gateway-1');
      await sleep(5_000 + random() * 5_000);
      world.thaw('gateway-1');
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('a projector begins or ends every second, politely or not', async () => {
    let changes = 0;
    await faultRow(world, 'projector-storm', async ({ random }) => {
      for (const end = Date.now() + 15_000; Date.now() < end; await sleep(200)) {
        const place: Place = random() < 0.5 ? 'projector-1' : 'projector-2';
        changes += 1;
        if (!world.isRunning(place)) await world.startProcess(place);
        else if (random() < 0.5) await world.kill(place);
        else await world.process(place).end('SIGTERM');
      }
    });
    expect(changes).toBeGreaterThan(4);
  });

  it('a projector hangs while the other goes on, wakes up behind it, and is then alone', async () => {
    const seen = await faultRow(world, 'projector-zombie', async ({ load, random }) => {
      world.freeze('projector-1');
      await load.more(20);
      await sleep(random() * 5_000);
      world.freeze('projector-2');
      world.thaw('projector-1');
      await load.more(20);
      world.thaw('projector-2');
    });
    expect(seen.operations).toBeGreaterThan(100);
  });
});

describe(`a clock that jumps by days, of one process (VARVE_TEST_SEED=${seed})`, () => {
  /** Under a clock that is as much off as the file says, looked at each time; time that only counts goes on. */
  async function restartWithClock(place: Place): Promise<(offset: string) => void> {
    const file = join(world.folder, `${place}.clock`);
    const set = (offset: string) => writeFileSync(file, `${offset}\n`);
    set('+0s');
    await world.kill(place);
    const settings = `FAKETIME_TIMESTAMP_FILE='${file}' FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1`;
    const library = '/usr/$LIB/faketime/libfaketime.so.1';
    await world.startProcess(place, `LD_PRELOAD='${library}' ${settings} exec "$@"`);
    return set;
  }

  it.each<[string, Place]>([
    ['clock-of-a-gateway', 'gateway-1'],
    ['clock-of-a-projector', 'projector-1'],
  ])('changes nothing: %s', async (name, place) => {
    const seen = await faultRow(world, name, async ({ load }) => {
      const set = await restartWithClock(place);
      for (const offset of ['+3d', '-3d', '+0s']) {
        set(offset);
        await load.more(15);
      }
      // One whose clock is behind the log may have halted; the other goes on.
      await world.kill(place);
    });
    expect(seen.operations).toBeGreaterThan(100);
  });
});
