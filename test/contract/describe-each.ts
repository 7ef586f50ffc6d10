import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One sentence that every adapter of a port keeps true. */
export interface Case<Port> {
  readonly title: string;
  /** The name under which an adapter may declare, with a reason, that it does not keep this one. */
  readonly gap?: string;
  run(port: Port, place: Place<Port>): Promise<void>;
}

/** Where the port of one case lives, for the cases about what outlives a process. */
export interface Place<Port> {
  /** Empty at the start of the case, removed after it. */
  readonly folder: string;
  /** Closes the port and opens it again on what it left. The new port is closed after the case. */
  reopen(): Promise<Port>;
}

/** One adapter of a port. `open` gets a folder of its own; adapters of servers use its last part as a unique prefix. */
export interface Adapter<Port> {
  readonly name: string;
  open(folder: string): Promise<Port> | Port;
  /** Gap name to the reason why. */
  readonly gaps?: Readonly<Record<string, string>>;
  /** The environment variable that tells where the server is. Without it the cases are skipped, and say so. */
  readonly needs?: string;
}

/**
 * Runs every case against every adapter, each on a fresh port that is closed afterwards. What is not run is shown as
 * skipped with its reason; with `VARVE_TEST_REQUIRE=all` an absent server fails instead.
 */
export function describeEach<Port extends { close(): Promise<void> | void }>(
  cases: readonly Case<Port>[],
  adapters: readonly Adapter<Port>[],
): void {
  for (const adapter of adapters) {
    describe(adapter.name, () => {
      for (const { title, gap, run } of cases) {
        const reason = gap === undefined ? undefined : adapter.gaps?.[gap];
        if (reason !== undefined) it.skip(`${title} (${reason})`, () => undefined);
        else if (!isThere(adapter.needs)) absent(`${title} (needs ${adapter.needs})`);
        else it(title, () => runCase(adapter, run));
      }
    });
  }
}

async function runCase<Port extends { close(): Promise<void> | void }>(
  adapter: Adapter<Port>,
  run: Case<Port>['run'],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-contract-'));
  let port = await adapter.open(folder);
  try {
    await run(port, {
      folder,
      async reopen() {
        await port.close();
        port = await adapter.open(folder);
        return port;
      },
    });
  } finally {
    await port.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function isThere(name: string | undefined): boolean {
  return name === undefined || Boolean(process.env[name]);
}

function absent(title: string): void {
  if (process.env['VARVE_TEST_REQUIRE'] !== 'all') it.skip(title, () => undefined);
  else it(title, () => Promise.reject(new Error('VARVE_TEST_REQUIRE=all, and this server is not there')));
}
