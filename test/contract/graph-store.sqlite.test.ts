import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import type { Event } from '#core/event';
import { project } from '#projection/project';
import { rebuild } from '#projection/rebuild';
import { canMountSmallDisk, onSmallDisk } from '../fixture/bytes-small-disk.js';
import {
  absent,
  activation,
  app,
  commitBatch,
  commitOn,
  layerBlob,
  main,
  move,
  recordBytes,
  refUpdate,
  repoCreate,
  txidOf,
} from '../fixture/event-builder.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'varve-graph-'));
  path = join(folder, 'graph.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function logOf(count: number) {
  const log = openMemoryEventLog({ now: () => 1_000 });
  const batch = (n: number) => commitBatch(txidOf(n), { blobs: [layerBlob(`${n}`)] });
  await log.append(
    0,
    [repoCreate(txidOf('create')), ...Array.from({ length: count }, (_, n) => batch(n))].map(recordBytes),
  );
  return log;
}

function tablesIn(file: string): string[] {
  const db = new DatabaseSync(file);
  const rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  db.close();
  return rows.map(({ name }) => String(name));
}

const canMount = canMountSmallDisk();
const ifMounted = canMount ? it : it.skip;
const why = canMount ? '' : ' (needs root, to mount a small disk)';

function forgottenRows(file: string): number {
  const db = new DatabaseSync(file);
  const row = db.prepare('SELECT count(*) AS rows FROM g1_outcome WHERE stretch = 0').get();
  db.close();
  return Number(row?.['rows']);
}

/** What only this one does: files of others, of other versions, damaged ones, a full disk. */
describe('the SQLite graph', () => {
  it('removes the rows of forgotten outcomes some at a time, so that no batch takes long', async () => {
    const graph = openSqliteGraphStore(path);
    const day = 86_400_000;
    let at = await graph.checkpoint(0);
    const step = async (time: number, ...events: readonly Event[]) => {
      const records = events.map((event, i) => ({ offset: at.offset + 1 + i, time, bytes: recordBytes(event) }));
      await project(graph, 0, at, records);
      at = await graph.checkpoint(0);
    };
    const fence = (n: number): Event => ({
      type: 'gc.fence.v1',
      txid: txidOf(`f${n}`),
      gcId: `g${n}`,
      gcEpoch: n - 1,
      blobs: [],
    });
    await step(0, activation, repoCreate(txidOf('create')));
    const crowd = Array.from({ length: 1_400 }, (_, n) => commitBatch(txidOf(n), { blobs: [layerBlob('one')] }));
    await step(0, ...crowd);
    await step(day, fence(1));
    await step(2 * day, fence(2));
    expect(forgottenRows(path)).toBe(1_402);
    const left: number[] = [];
    for (let n = 3; n <= 6; n += 1) {
      await step(n * day, fence(n));
      expect(await graph.outcome(0, txidOf(1_399))).toBeUndefined();
      left.push(forgottenRows(path));
    }
    expect(left).toEqual([1_402 - 512, 1_402 - 1_024, 0, 0]);
    await graph.close();
  });

  it.each([
    ['a file that is no database', () => writeFileSync(path, 'not a database at all, but long enough '.repeat(50))],
    [
      'a database of another program',
      () => {
        const db = new DatabaseSync(path);
        db.exec('CREATE TABLE theirs (a)');
        db.close();
      },
    ],
  ])('refuses %s, and says to delete it', (_title, make) => {
    make();
    expect(() => openSqliteGraphStore(path)).toThrow(
      expect.objectContaining({
        code: 'CORRUPT',
        message: expect.stringMatching(/graph\.db.*[Dd]elete it: it is made again/),
      }),
    );
  });

  it('is made again when its tables are of another version', async () => {
    const graph = openSqliteGraphStore(path);
    await rebuild({ log: await logOf(10), graph });
    await graph.close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 999');
    db.close();
    const again = openSqliteGraphStore(path);
    expect((await again.checkpoint(0)).offset).toBe(-1);
    await rebuild({ log: await logOf(10), graph: again });
    expect(await again.repository(app)).toBeDefined();
    await again.close();
  });

  it('judges by rows that a rebuild has written already as by those that still wait', async () => {
    const log = await logOf(17_000);
    const root = commitOn([], 'root', { layers: [layerBlob('0').diffId] });
    const tip = commitOn([root], 'tip', { layers: [layerBlob('16999').diffId] });
    const copy = (n: number): Event =>
      commitBatch(txidOf(n), { blobs: [layerBlob('another under the same transaction')] });
    const wrongSize = commitBatch(txidOf('wrong'), { blobs: [{ ...layerBlob('1', 'i2'), size: 7 }] });
    const commits = refUpdate(txidOf('tip'), [move(main, absent, tip.id)], { commits: [root, tip] });
    await log.append(0, [commits, copy(3), copy(16_998), wrongSize].map(recordBytes));
    const graph = openSqliteGraphStore(path);
    const memory = openMemoryGraphStore();
    const rebuilt = await rebuild({ log, graph });
    expect(await rebuild({ log, graph: memory })).toEqual(rebuilt);
    expect(await graph.checkpoint(0)).toEqual(await memory.checkpoint(0));
    expect(await graph.ref(app, main)).toEqual({ commit: tip.id, version: 1 });
    expect((await graph.outcome(0, txidOf('wrong')))?.outcome).toMatchObject({ code: 'SIZE_MISMATCH' });
    for (const n of [0, 5_000, 16_999]) expect(await graph.layer(app, layerBlob(`${n}`).diffId)).toBeDefined();
    await graph.close();
  });

  it('keeps the tables of one generation only', async () => {
    const graph = openSqliteGraphStore(path);
    const log = await logOf(10);
    for (let n = 0; n < 3; n += 1) await rebuild({ log, graph });
    await graph.beginGeneration();
    await graph.close();
    const again = openSqliteGraphStore(path);
    await again.close();
    const prefixes = new Set(tablesIn(path).map((name) => /^(g\d+_|live)/.exec(name)?.[0]));
    expect(prefixes).toEqual(new Set(['g4_', 'live']));
  });

  ifMounted(`keeps what it had when the disk is full, says STORAGE_FULL, and goes on when there is room${why}`, () =>
    onSmallDisk(1 << 20, async (disk) => {
      const graph = openSqliteGraphStore(join(disk.folder, 'graph.db'));
      await expect(rebuild({ log: await logOf(5_000), graph })).rejects.toMatchObject({ code: 'STORAGE_FULL' });
      expect((await graph.checkpoint(0)).offset).toBe(-1);
      await rebuild({ log: await logOf(10), graph });
      expect((await graph.checkpoint(0)).offset).toBe(11);
      await graph.close();
    }),
  );

  it('refuses a file with a WAL that was cut off after it was copied into it, and says to delete it', async () => {
    const graph = openSqliteGraphStore(path);
    await rebuild({ log: await logOf(300), graph });
    const db = new DatabaseSync(path);
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    const [whole, cut] = [join(folder, 'whole.db'), join(folder, 'cut.db')];
    for (const copy of [whole, cut]) for (const end of ['', '-wal']) copyFileSync(path + end, copy + end);
    db.close();
    await graph.close();
    truncateSync(`${cut}-wal`, statSync(`${cut}-wal`).size / 2);
    expect(() => openSqliteGraphStore(cut)).toThrow(
      expect.objectContaining({ code: 'CORRUPT', message: expect.stringMatching(/cut\.db cannot be read.*Delete it/) }),
    );
    const same = openSqliteGraphStore(whole);
    expect((await same.checkpoint(0)).offset).toBe(301);
    await same.close();
  });

  it('says what to do when its file is damaged while it is used', async () => {
    const graph = openSqliteGraphStore(path);
    await rebuild({ log: await logOf(3_000), graph });
    await graph.close();
    // Everything but the first page, which says that it is a database.
    const db = new DatabaseSync(path);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 4096 * 12);
    writeFileSync(path, bytes);
    const damaged = openSqliteGraphStore(path);
    const readAll = async () => {
      for (let n = 0; n < 3_000; n += 1) await damaged.layer(app, layerBlob(`${n}`).diffId);
    };
    await expect(readAll()).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('Delete it') });
    await damaged.close();
  });
});
