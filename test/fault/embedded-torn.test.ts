import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { isVarveError, type VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { compareGraph } from '#projection/compare-graph';
import { Projector } from '#projection/follow';
import { project, recordDigest } from '#projection/project';
import { collect } from '../fixture/bytes-random.js';
import { recordsOf } from '../fixture/wrapped-stores.js';
import { type Workspace, workspace } from '../journey/harness/archives.js';
import { randomOf } from '../journey/harness/random.js';
import { startServer } from '../journey/harness/server.js';
import { rounds } from './embedded-rounds.js';
import { Writers } from './embedded-writers.js';
import { seed } from './fault-row.js';

const told = `(VARVE_TEST_SEED=${seed})`;
const random = randomOf(seed);
const databases = ['log.db', 'graph.db'] as const;

/** The files of the databases as they were at one instant, and what had been acknowledged before it. */
interface Copy {
  readonly folder: string;
  readonly acknowledged: number;
}

let work: Workspace;
/** The digest of each record that the log had in the end. */
let truth: readonly string[];
/** The state after each record of it. */
let states: readonly string[];
const frozen: Copy[] = [];
/** Copied while it was being written, one file after the other. */
const loose: Copy[] = [];

beforeAll(async () => {
  work = await workspace();
  const server = await startServer({ data: join(work.path, 'data') });
  try {
    const writers = await Writers.start(server.url);
    for (let n = 0; n < rounds; n += 1) {
      await delay(100 + random() * 300);
      const { acknowledged } = writers;
      loose.push({ folder: copyOf(server.data, `loose-${n}`, n % 2 === 0), acknowledged });
      await delay(random() * 20);
      // At whatever instruction it is: what a power cut leaves of it when the disk had everything.
      process.kill(server.pid, 'SIGSTOP');
      frozen.push({ folder: copyOf(server.data, `frozen-${n}`), acknowledged: writers.acknowledged });
      process.kill(server.pid, 'SIGCONT');
    }
    await writers.stop();
  } finally {
    process.kill(server.pid, 'SIGCONT');
    await server.stop();
  }
  const log = openSqliteEventLog(join(server.data, 'log.db'), { now: Date.now });
  const records = await recordsOf(log);
  await log.close();
  truth = records.map(recordDigest);
  states = await statesAfter(records);
}, 300_000);
afterAll(() => work?.remove());

it(`a copy of an instant opens with all that was acknowledged, and both files agree ${told}`, async () => {
  for (const { folder, acknowledged } of frozen) {
    const { records, graph } = await open(copyOf(folder, `${folder}-open`));
    expect(records).toBeGreaterThan(acknowledged);
    expect(graph).toBe('agrees');
  }
}, 300_000);

it(`a copy whose log ends at any byte is what was before, or halts ${told}`, async () => {
  const seen = await damaged(['log.db-wal'], truncated);
  // Or the test has shown nothing.
  expect(seen['LOG_TRUNCATED']).toBeGreaterThan(0);
}, 300_000);

it(`a copy whose graph ends at any byte is made whole from the log, or says to delete it ${told}`, async () => {
  // One that ends while its WAL is copied into it is no database any more, and may be deleted.
  const { agrees = 0, CORRUPT = 0 } = await damaged(['graph.db-wal'], truncated);
  expect(agrees + CORRUPT).toBe(2 * rounds);
  expect(agrees).toBeGreaterThan(CORRUPT);
}, 300_000);

it(`a copy whose log and graph end at any byte is what was before, or halts ${told}`, async () => {
  const seen = await damaged(['log.db-wal', 'graph.db-wal'], truncated);
  expect(Object.keys(seen).filter((what) => !honest.has(what))).toEqual([]);
}, 300_000);

it(`a flipped byte in the tail of a log is no record that was not written ${told}`, async () => {
  const seen = await damaged(['log.db-wal'], (path) => flipped(path, 20_000));
  expect(Object.keys(seen).filter((what) => !honest.has(what))).toEqual([]);
}, 300_000);

it(`a log without its tail is the beginning of the same log, and no new one ${told}`, async () => {
  for (const { folder } of frozen) {
    const copy = copyOf(folder, `${folder}-beginning`);
    rmSync(join(copy, 'log.db-wal'));
    const { records, graph } = await open(copy);
    expect({ records, graph }).toEqual({ records: expect.any(Number) as number, graph: 'LOG_TRUNCATED' });
    expect(records).toBeGreaterThan(0);
  }
}, 300_000);

it(`files copied one after the other while they are written are what was before, or refused ${told}`, async () => {
  for (const { folder } of loose) {
    const { graph } = await open(folder);
    expect(honest).toContain(graph);
  }
}, 300_000);

/** What may become of a damaged copy. */
const honest = new Set(['agrees', 'LOG_TRUNCATED', 'CORRUPT']);
let damages = 0;

/** Does it to copies of the copies, each time elsewhere, and counts what became of them. */
async function damaged(
  files: readonly string[],
  damage: (path: string) => void,
): Promise<Readonly<Record<string, number>>> {
  const seen: Record<string, number> = {};
  for (let n = 0; n < 2 * rounds; n += 1) {
    const { folder } = frozen[n % rounds] as Copy;
    const copy = copyOf(folder, `damaged-${(damages += 1)}`);
    for (const file of files) damage(join(copy, file));
    count(seen, (await open(copy)).graph);
  }
  return seen;
}

function count(seen: Record<string, number>, what: string): void {
  seen[what] = (seen[what] ?? 0) + 1;
}

function truncated(path: string): void {
  truncateSync(path, Math.floor(random() * statSync(path).size));
}

function flipped(path: string, tailBytes: number): void {
  const bytes = readFileSync(path);
  const at = bytes.length - 1 - Math.floor(random() * Math.min(tailBytes, bytes.length));
  bytes[at] = (bytes[at] as number) ^ (1 + Math.floor(random() * 255));
  writeFileSync(path, bytes);
}

let compared = 0;

/**
 * Opens a copy as the server would. Its records are the first ones of the truth; its graph agrees with them when it has
 * caught up, or says why it does not go on.
 */
async function open(folder: string): Promise<{ readonly records: number; readonly graph: string }> {
  const opened = new AsyncDisposableStack();
  try {
    const log = openSqliteEventLog(join(folder, 'log.db'), { now: Date.now });
    opened.defer(() => log.close());
    const records = await recordsOf(log);
    expect(records.map(recordDigest)).toEqual(truth.slice(0, records.length));
    const graph = openSqliteGraphStore(join(folder, 'graph.db'));
    opened.defer(() => graph.close());
    const before = await graph.checkpoint(0);
    const projector = new Projector({ log, graph });
    projector.start();
    opened.defer(() => projector.stop());
    try {
      await projector.caughtUp();
    } catch (error) {
      if (!isVarveError(error, 'LOG_TRUNCATED')) throw error;
      expect(before.offset).toBeGreaterThanOrEqual(records.length);
      return { records: records.length, graph: 'LOG_TRUNCATED' };
    }
    const after = await graph.checkpoint(0);
    expect(after).toMatchObject({ offset: records.length - 1, stateDigest: states[records.length - 1] });
    // Row by row takes long; the digest beside them was looked at.
    if ((compared += 1) % 5 > 0) return { records: records.length, graph: 'agrees' };
    const differences = (await collect(compareGraph({ log, graph }))).filter(({ type }) => type === 'difference');
    expect(differences).toEqual([]);
    return { records: records.length, graph: 'agrees' };
  } catch (error) {
    if (!isVarveError(error)) throw error;
    expectHelp(error, folder);
    return { records: 0, graph: error.code };
  } finally {
    await opened.disposeAsync();
  }
}

/** Says which file, and what to do about it. */
function expectHelp({ code, message }: VarveError, folder: string): void {
  expect({ code, message }).toEqual({
    code: 'CORRUPT',
    message: expect.stringMatching(/restore it from a copy|Delete it: it is made again/) as string,
  });
  expect(message).toContain(folder);
}

function copyOf(data: string, name: string, isWalFirst = true): string {
  const folder = resolve(work.path, name);
  mkdirSync(folder, { recursive: true });
  for (const database of databases) {
    const ends = isWalFirst ? ['-wal', ''] : ['', '-wal'];
    for (const end of ends)
      if (existsSync(join(data, database + end)))
        copyFileSync(join(data, database + end), join(folder, database + end));
  }
  return folder;
}

async function statesAfter(records: readonly LogRecord[]): Promise<string[]> {
  const graph = openMemoryGraphStore();
  const digests: string[] = [];
  for (const record of records) {
    const at = await project(graph, 0, await graph.checkpoint(0), [record]);
    digests.push(String(at?.stateDigest));
  }
  return digests;
}
