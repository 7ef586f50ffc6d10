import { hash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomOf } from '../journey/harness/random.js';
import { checkAfterHealing, type Checked } from './check-after-healing.js';
import type { FaultWorld } from './fault-world.js';
import { Load, type LoadOptions } from './load.js';

/** What the faults and the wishes of a run are made from: VARVE_TEST_SEED, or another one each time. */
export const seed = Number(process.env['VARVE_TEST_SEED'] || Date.now() % 1_000_000);

export interface Hit {
  readonly world: FaultWorld;
  readonly load: Load;
  /** The next number from 0 to 1 of this row's own sequence. */
  readonly random: () => number;
}

/**
 * One row of the table of faults: a load, the fault in the middle of it, healing, more load, and then everything that
 * must hold. Returns what was seen. @throws BrokenLaw; the message names the seed and the history
 */
export async function faultRow(
  world: FaultWorld,
  name: string,
  fault: (hit: Hit) => Promise<void>,
  options: Partial<LoadOptions> = {},
): Promise<Checked> {
  const own = (seed + Buffer.from(hash('sha256', name, 'hex'), 'hex').readUInt32BE()) % 2 ** 32;
  const gateways = () => world.gateways;
  const load = await Load.start({ name, seed: own, folder: world.folder, gateways, ...options });
  try {
    await load.more(30);
    await fault({ world, load, random: randomOf(own) });
    await world.heal();
    await load.more(30);
    await load.stop();
    const checked = await checkAfterHealing(world, load);
    tell(name, checked);
    return checked;
  } catch (error) {
    world.keepOutput(name);
    const { message } = error as Error;
    throw new Error(`${name} with VARVE_TEST_SEED=${seed}: ${message}\nits history: ${load.history}`, { cause: error });
  } finally {
    await load.stop().catch(() => undefined);
    await world.heal();
  }
}

/** For the table that `npm run test:fault` ends with. */
function tell(name: string, { operations, unknown, records }: Checked): void {
  const line = `${name}: ${operations} operations, ${unknown} of them never answered; ${records} records in the log`;
  appendFileSync(join(tmpdir(), 'faults.txt'), `${line}\n`);
}
