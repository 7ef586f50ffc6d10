import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKafkaEventLog } from '#adapters/kafka/kafka-event-log';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { decodeEvent, encodeEvent } from '#core/event-codec';
import { AppProcess } from '../journey/harness/app-process.js';
import { type Realm, realmOf, startApp } from '../journey/harness/cluster.js';
import { varveAt } from '../journey/harness/varve.js';
import { ask, commitFile, createRepository } from './gateway-client.js';

const repos = ['team/one', 'team/two', 'team/three', 'team/four'];
/** What every repository is asked, now and as of every step. */
const questions = [
  '',
  '/refs',
  '/reflog',
  '/commits?rev=main',
  '/tree-view',
  '/resolve?rev=main@%7B1%7D',
  '/tree/main?recursive=true',
  '/refs?contains=main~1',
];

interface Moved {
  readonly folder: string;
  readonly blobs: Realm;
  readonly file: string;
  readonly records: number;
  /** The log's times between the steps. */
  readonly times: readonly string[];
  /** Answers by question and time. */
  readonly answers: ReadonlyMap<string, unknown>;
}

let moved: Moved;
beforeAll(async () => (moved = await makeHistory()), 180_000);
afterAll(() => moved && rmSync(moved.folder, { recursive: true, force: true }));

/** One process with its log and graph in files; its blobs lie where the cluster will look for them. */
async function makeHistory(): Promise<Moved> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-moved-'));
  const blobs = await realmOf(randomBytes(8).toString('hex'));
  const env = { VARVE_DATA: folder, VARVE_BLOB_STORE: blobs.env['VARVE_BLOB_STORE'] as string };
  await withProcess(env, async (url) => {
    for (const repo of repos) expect(await createRepository(url, repo)).toMatchObject({ status: 201 });
  });
  // A collector has been here: what it says is for every partition.
  const log = openSqliteEventLog(join(folder, 'log.db'), { now: Date.now });
  const fence = { type: 'gc.fence.v1', txid: '0'.repeat(32), gcEpoch: 0, gcId: 'f'.repeat(32), blobs: [] } as const;
  const envelope = { source: `varve/${log.id}`, time: Date.now(), salt: randomBytes(16) };
  await log.append(0, [encodeEvent(fence, envelope)]);
  await log.close();

  const times: string[] = [];
  const answers = new Map<string, unknown>();
  const file = join(folder, 'log.jsonl');
  let records = 0;
  await withProcess(env, async (url) => {
    const varve = varveAt(url);
    const run = async (...args: string[]): Promise<void> => {
      const ran = await varve(...args);
      expect({ args, code: ran.code, stderr: ran.stderr }).toMatchObject({ args, code: 0 });
    };
    const step = async (): Promise<void> => {
      const moves = await Promise.all(repos.map((repo) => varve.lines<{ time: string }>('reflog', '-n', '1', '--repo', repo))); // prettier-ignore
      times.push(moves.map(([last]) => last!.time).toSorted().at(-1)!); // prettier-ignore
      await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await step();
    for (const repo of repos) {
      for (const name of ['a', 'b', 'c']) {
        expect(await commitFile(url, repo, name)).toMatchObject({ status: 201 });
        await run('tag', `v-${name}`, 'main', '--repo', repo, '-m', `release ${name}`);
        await step();
      }
      await run('tag', '--move', 'v-a', 'main', '--repo', repo, '-m', 'oops');
      await run('tag', '--move', 'v-a', 'main~2', '--repo', repo, '-m', 'back');
      await run('tag', '-d', 'v-b', '--repo', repo);
      await run('branch', 'gone', 'main', '--repo', repo);
      await run('branch', '-d', 'gone', '--repo', repo);
      await run('restore', 'gone', '--repo', repo);
      await run('rollback', 'main', '--to', 'main~1', '--repo', repo);
      // Refused by the log itself.
      expect((await varve('init', repo)).code).not.toBe(0);
      await step();
    }
    for (const [question, answer] of await everything(url, times)) answers.set(question, answer);
    const exported = await varve('eventlog', 'export');
    writeFileSync(file, exported.stdout);
    records = exported.stdout.trim().split('\n').length - 2;
  });
  return { folder, blobs, file, records, times, answers };
}

async function withProcess(env: Readonly<Record<string, string>>, work: (url: string) => Promise<void>): Promise<void> {
  const process = new AppProcess({ app: 'standalone', env });
  try {
    await work(await process.ready());
  } finally {
    await process.end('SIGTERM');
  }
}

/** Without places in the log, which are others. */
async function everything(url: string, times: readonly string[]): Promise<Map<string, unknown>> {
  const answers = new Map<string, unknown>();
  for (const repo of repos) {
    for (const question of questions) {
      for (const at of [undefined, ...times]) {
        const moment = at === undefined ? '' : `${question.includes('?') ? '&' : '?'}at=${encodeURIComponent(at)}`;
        const path = `/repos/${encodeURIComponent(repo)}${question}${moment}`;
        const { status, json } = await ask(url, path);
        answers.set(path, JSON.parse(JSON.stringify({ status, json }, withoutPlace)));
      }
    }
  }
  return answers;
}

function withoutPlace(name: string, value: unknown): unknown {
  return name === 'position' || name === 'instance' ? undefined : value;
}

describe.each([1, 4])('a log that is moved to Kafka, %i partitions', (partitions) => {
  let realm: Realm;
  let processes: AppProcess[];
  const url = (): string => processes[0]?.url as string;
  const importing = (file: string) => varveAt(url())('eventlog', 'import', file);
  const positions = async (): Promise<unknown> =>
    (await varveAt(url()).json<{ partitions: { position: string }[] }>('status')).partitions.map(({ position }) => position); // prettier-ignore

  beforeAll(async () => {
    realm = await realmOf(randomBytes(8).toString('hex'), partitions);
    const env = { VARVE_BLOB_STORE: moved.blobs.env['VARVE_BLOB_STORE'] as string };
    processes = await Promise.all((['gateway', 'projector'] as const).map((app) => startApp(app, realm, env)));
  }, 120_000);
  afterAll(() => Promise.all(processes.map((one) => one.end('SIGKILL'))));

  const damages: readonly (readonly [string, (lines: string[]) => string[]])[] = [
    ['a changed byte', (lines) => lines.with(9, lines[9]!.replace(/"bytes":"(.{40})./, (_, kept: string) => `"bytes":"${kept}~`))], // prettier-ignore
    ['another byte in a record', (lines) => lines.with(9, otherByte(lines[9]!))],
    ['two records that changed places', (lines) => lines.with(9, lines[10]!).with(10, lines[9]!)],
    ['a record that is missing', (lines) => lines.toSpliced(9, 1)],
    ['no end', (lines) => lines.slice(0, -1)],
  ];
  it.each(damages)('is refused with %s, and nothing is written', async (_what, damage) => {
    const before = await positions();
    const lines = readFileSync(moved.file, 'utf8').trim().split('\n');
    const file = join(moved.folder, 'damaged.jsonl');
    writeFileSync(file, damage(lines).join('\n'));
    expect(await importing(file)).toMatchObject({ code: 2, stderr: expect.stringContaining('REQUEST_INVALID') });
    expect(await positions()).toEqual(before);
  });

  it('is copied whole', async () => {
    const done = await varveAt(url()).json<{ records: number; position: string }>('eventlog', 'import', moved.file);
    expect(done.records).toBe(moved.records);
    const ends = done.position.split(', ');
    expect(ends).toHaveLength(partitions);
    // Everything is there when every partition is.
    for (const end of ends) await visible(url(), end);
  }, 120_000);

  it('has its rules and fences in every partition', async () => {
    const address = new URL(realm.env['VARVE_EVENT_LOG'] as string);
    const [topic, brokers] = [address.pathname.slice(1), [address.host]];
    const log = await openKafkaEventLog({ brokers, topic, partitions });
    try {
      for (let partition = 0; partition < partitions; partition += 1) {
        const types: string[] = [];
        for await (const batch of log.read(partition, 0)) {
          for (const { bytes } of batch) {
            const decoded = decodeEvent(bytes);
            types.push(decoded.type === 'event' ? decoded.event.type : decoded.type);
          }
        }
        // Its own, and that of the log it was copied from.
        expect(types.filter((type) => type === 'rules.activate.v1')).toHaveLength(2);
        expect(types.filter((type) => type === 'gc.fence.v1')).toHaveLength(1);
      }
    } finally {
      await log.close();
    }
  });

  it('answers as before, now and as of every time', async () => {
    const answers = await everything(url(), moved.times);
    for (const [question, answer] of moved.answers) expect({ question, ...(answers.get(question) as object) }).toEqual({ question, ...(answer as object) }); // prettier-ignore
  }, 120_000);

  it('answers keys that were used before, and goes on', async () => {
    for (const repo of repos) {
      const again = await commitFile(url(), repo, 'b');
      expect(again).toMatchObject({ status: 201, json: { replayed: true } });
      expect(await commitFile(url(), repo, 'd')).toMatchObject({ status: 201, json: { replayed: false } });
    }
    expect((await varveAt(url())('fsck', '--quick')).code).toBe(0);
  }, 120_000);

  it('is not copied over what is there', async () => {
    const before = await positions();
    expect(await importing(moved.file)).toMatchObject({ code: 2, stderr: expect.stringContaining('CONFIG_INVALID') });
    expect(await positions()).toEqual(before);
  });
});

/** The record is well formed, and another. */
function otherByte(line: string): string {
  const record = JSON.parse(line) as { bytes: string };
  const bytes = Buffer.from(record.bytes, 'base64');
  bytes[bytes.length - 3]! ^= 1;
  return JSON.stringify({ ...record, bytes: bytes.toString('base64') });
}

/** A reader waits 2 s for a position, and asks again. */
async function visible(url: string, position: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    if ((await ask(url, '/state', { headers: { 'varve-min-position': position } })).status === 200) return;
  }
  throw new Error(`${position} does not become visible`);
}
