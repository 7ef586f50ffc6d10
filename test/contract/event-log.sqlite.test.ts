import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { digestOf } from '#core/digest';
import { Projector } from '#projection/follow';
import { canMountSmallDisk, onSmallDisk } from '../fixture/bytes-small-disk.js';
import { recordsOf } from '../fixture/wrapped-stores.js';

const clock = { now: () => 1_000 };
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'varve-log-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const canMount = canMountSmallDisk();
const ifMounted = canMount ? it : it.skip;
const why = canMount ? '' : ' (needs root, to mount a small disk)';

/** What only this one does: a full disk, a read-only one, a file of someone else. */
describe('the SQLite log', () => {
  ifMounted(`appends nothing of what the disk cannot hold, and says STORAGE_FULL${why}`, () =>
    onSmallDisk(3 << 20, async (disk) => {
      const log = openSqliteEventLog(join(disk.folder, 'log.db'), clock);
      const large = Buffer.alloc(300_000, 1);
      let appended = 0;
      const fill = async () => {
        for (; appended < 100; appended += 1) await log.append(0, [large]);
      };
      const full = { code: 'STORAGE_FULL', message: expect.stringContaining('log.db') };
      await expect(fill()).rejects.toMatchObject(full);
      const end = await log.end(0);
      expect(end).toBe(1 + appended);
      await expect(log.append(0, [Buffer.from('small'), large, large])).rejects.toMatchObject(full);
      expect(await log.end(0)).toBe(end);
      expect(await recordsOf(log)).toHaveLength(end);
      await log.close();
    }),
  );

  ifMounted(`says UNAVAILABLE, and why, when it may not write${why}`, () =>
    onSmallDisk(4 << 20, async (disk) => {
      const path = join(disk.folder, 'log.db');
      await openSqliteEventLog(path, clock).close();
      disk.makeReadOnly();
      expect(() => openSqliteEventLog(path, clock)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    }),
  );

  it('says UNAVAILABLE while another program holds the file', async () => {
    const path = join(folder, 'log.db');
    const log = openSqliteEventLog(path, clock);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(log.append(0, [Buffer.from('a')])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    other.exec('ROLLBACK');
    other.close();
    await log.append(0, [Buffer.from('a')]);
    expect(await log.end(0)).toBe(2);
    await log.close();
  });

  it('is the beginning of itself, and no new log, when its file is copied without its WAL', async () => {
    const path = join(folder, 'log.db');
    const log = openSqliteEventLog(path, clock);
    await log.append(0, [Buffer.from('a')]);
    copyFileSync(path, join(folder, 'copy.db'));
    const copy = openSqliteEventLog(join(folder, 'copy.db'), clock);
    expect(copy.id).toBe(log.id);
    expect(await recordsOf(copy)).toEqual((await recordsOf(log)).slice(0, 1));
    await Promise.all([log.close(), copy.close()]);
  });

  it('shows where records are gone from its file, and halts who projects it', async () => {
    const path = join(folder, 'log.db');
    const log = openSqliteEventLog(path, clock);
    await log.append(
      0,
      Array.from({ length: 1_000 }, (_, n) => Buffer.from(`${n}`)),
    );
    const db = new DatabaseSync(path);
    db.exec('DELETE FROM record WHERE offset BETWEEN 100 AND 900');
    db.close();
    const offsets = (await recordsOf(log)).map(({ offset }) => offset);
    expect(offsets).toEqual(Array.from({ length: 1_001 }, (_, n) => n).filter((n) => n < 100 || n > 900));
    const projector = new Projector({ log, graph: openMemoryGraphStore() });
    projector.start();
    await expect(projector.caughtUp()).rejects.toMatchObject({
      code: 'LOG_TRUNCATED',
      message: expect.stringContaining('record 100 '),
    });
    await projector.stop();
    await log.close();
  });

  it('refuses a file with a WAL that was cut off after it was copied into it, and leaves both as they are', async () => {
    const path = join(folder, 'log.db');
    const log = openSqliteEventLog(path, clock);
    for (let n = 0; n < 200; n += 1) await log.append(0, [Buffer.alloc(1_000, n)]);
    const db = new DatabaseSync(path);
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    const copy = join(folder, 'copy.db');
    for (const end of ['', '-wal']) copyFileSync(path + end, copy + end);
    db.close();
    await log.close();
    truncateSync(`${copy}-wal`, statSync(`${copy}-wal`).size / 2);
    const bytes = () => ['', '-wal'].map((end) => digestOf(readFileSync(copy + end)));
    const before = bytes();
    const damaged = { code: 'CORRUPT', message: expect.stringMatching(/copy\.db cannot be read.*-wal.*restore it/) };
    expect(() => openSqliteEventLog(copy, clock)).toThrow(expect.objectContaining(damaged));
    expect(bytes()).toEqual(before);
    rmSync(`${copy}-wal`);
    const alone = openSqliteEventLog(copy, clock);
    expect(await alone.end(0)).toBe(201);
    await alone.close();
  });

  it('does not overwrite a file that is no log: it says that nothing can make it again', () => {
    const path = join(folder, 'log.db');
    writeFileSync(path, 'this is not a database, it is a text of more than a hundred bytes'.repeat(20));
    expect(() => openSqliteEventLog(path, clock)).toThrow(
      expect.objectContaining({ code: 'CORRUPT', message: expect.stringMatching(/event log at .*log\.db.*restore/) }),
    );
  });
});
