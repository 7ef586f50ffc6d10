import { decodeEvent } from '#core/event-codec';
import type { LogRecord } from '#core/event';
import { limit } from '#core/limit';
import type { EventLog } from '#ports/event-log';
import type { Case } from './describe-each.js';

/** What every EventLog keeps true. A new adapter is done when this passes. */
export const eventLogContract: readonly Case<EventLog>[] = [
  {
    title: 'starts with the activation of rule set 1 in every partition',
    async run(log) {
      for (let partition = 0; partition < log.partitionCount; partition += 1) {
        const [first] = await readAll(log, partition);
        expect(first?.offset).toBe(0);
        expect(decodeEvent(first?.bytes as Uint8Array)).toMatchObject({
          event: { type: 'rules.activate.v1', rules: 1 },
        });
      }
    },
  },
  {
    title: 'gives contiguous offsets, in the order within an append and between appends',
    async run(log) {
      await log.append(0, texts('a', 'b', 'c'));
      await log.append(0, []);
      await log.append(0, texts('d'));
      const records = (await readAll(log)).slice(1);
      expect(records.map(textOf)).toEqual(['a', 'b', 'c', 'd']);
      expect(records.map(({ offset }) => offset)).toEqual([1, 2, 3, 4]);
      expect(await log.end(0)).toBe(5);
    },
  },
  {
    title: 'gives back exactly the bytes, also empty ones and those of the largest record',
    async run(log) {
      const all = [Buffer.alloc(0), Buffer.from([0, 255, 128, 10]), Buffer.alloc(limit.importRecordBytesMax, 7)];
      await log.append(0, all);
      const records = (await readAll(log)).slice(1);
      expect(records.map(({ bytes }) => Buffer.from(bytes))).toEqual(all);
    },
  },
  {
    title: 'keeps the bytes although the caller writes over them afterwards',
    async run(log) {
      const bytes = Buffer.from('before');
      await log.append(0, [bytes]);
      bytes.fill('x');
      expect((await readAll(log)).map(textOf).at(-1)).toBe('before');
    },
  },
  {
    title: 'refuses an oversized record with LIMIT_EXCEEDED and appends none of its batch',
    async run(log) {
      const tooLarge = Buffer.alloc(limit.importRecordBytesMax + 1);
      const refused = log.append(0, [Buffer.from('small'), tooLarge]);
      await expect(refused).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
      expect(await log.end(0)).toBe(1);
    },
  },
  {
    title: 'loses nothing of two appenders, and all readers agree on one order',
    async run(log) {
      const appendAll = async (name: string) => {
        for (let n = 0; n < 50; n += 1) await log.append(0, texts(`${name}${n}`, `${name}${n}+`));
      };
      await Promise.all([appendAll('a'), appendAll('b')]);
      const first = (await readAll(log)).map(textOf);
      const second = (await readAll(log)).map(textOf);
      expect(first).toEqual(second);
      for (const name of ['a', 'b']) {
        const own = first.filter((text) => new RegExp(`^${name}\\d+\\+?$`).test(text));
        expect(own).toEqual(Array.from({ length: 50 }, (_, n) => [`${name}${n}`, `${name}${n}+`]).flat());
      }
    },
  },
  {
    title: 'reads from the middle, and nothing from the end on',
    async run(log) {
      await log.append(0, texts('a', 'b', 'c'));
      expect((await readAll(log, 0, 2)).map(textOf)).toEqual(['b', 'c']);
      expect(await readAll(log, 0, 4)).toEqual([]);
      expect(await readAll(log, 0, 1_000)).toEqual([]);
    },
  },
  {
    title: 'reads many and large records in batches of bounded size',
    async run(log) {
      const count = 700;
      for (let n = 0; n < count; n += 100) {
        await log.append(
          0,
          Array.from({ length: 100 }, (_, i) => Buffer.alloc(20_000, n + i)),
        );
      }
      let records = 0;
      for await (const batch of log.read(0, 1)) {
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(limit.applyRecordsMax);
        records += batch.length;
      }
      expect(records).toBe(count);
    },
  },
  {
    title: 'reads up to the end as it was when the reading began',
    async run(log) {
      await log.append(0, texts('a'));
      const seen: string[] = [];
      for await (const batch of log.read(0, 1)) {
        seen.push(...batch.map(textOf));
        await log.append(0, texts('later'));
      }
      expect(seen).toEqual(['a']);
    },
  },
  {
    title: 'shows a follower what was there and what is appended after it started, once and in order',
    async run(log) {
      await log.append(0, texts('a', 'b'));
      const ending = new AbortController();
      const seen: string[] = [];
      const following = (async () => {
        for await (const batch of log.follow(0, 1, ending.signal)) {
          expect(batch.length).toBeGreaterThan(0);
          seen.push(...batch.map(textOf));
          if (seen.length === 5) ending.abort();
        }
      })();
      await log.append(0, texts('c'));
      await new Promise((resolve) => void setTimeout(resolve, 20));
      await log.append(0, texts('d', 'e'));
      await following;
      expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
    },
  },
  {
    title: 'lets a follower go when it is told to, also before anything was appended',
    async run(log) {
      const ending = new AbortController();
      const following = (async () => {
        for await (const batch of log.follow(0, 1, ending.signal)) expect(batch).toBe('nothing');
      })();
      await new Promise(setImmediate);
      ending.abort();
      await following;
      for await (const batch of log.follow(0, 0, ending.signal)) expect(batch).toBe('nothing');
      expect(await log.end(0)).toBe(1);
    },
  },
  {
    title: 'keeps its name, its records and its end when it is opened again',
    gap: 'reopen',
    async run(log, place) {
      await log.append(0, texts('a', 'b'));
      const before = await readAll(log);
      const again = await place.reopen();
      expect(again.id).toBe(log.id);
      expect(await again.end(0)).toBe(3);
      expect(await readAll(again)).toEqual(before);
      await again.append(0, texts('c'));
      expect((await readAll(again)).map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
    },
  },
  {
    title: 'has a name that fits into a position',
    async run(log) {
      expect(log.id).toMatch(/^[a-z0-9]{1,16}$/);
    },
  },
];

/** A clock that a test moves, also back. */
export class TestClock {
  ms = 1_700_000_000_000;
  now(): number {
    return this.ms;
  }
}

/** Kept apart from the others: it needs the clock in hand. */
export function timeNeverGoesBack(clock: TestClock): Case<EventLog> {
  return {
    title: 'never goes back in time, even when the clock does',
    async run(log, place) {
      const start = clock.ms;
      await log.append(0, texts('a'));
      clock.ms = start + 5_000;
      await log.append(0, texts('b'));
      clock.ms = start - 60_000;
      await log.append(0, texts('c'));
      expect((await readAll(log)).map(({ time }) => time - start)).toEqual([0, 0, 5_000, 5_000]);
      const again = await place.reopen();
      await again.append(0, texts('d'));
      const times = (await readAll(again)).map(({ time }) => time);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    },
  };
}

function texts(...all: string[]): Uint8Array[] {
  return all.map((text) => Buffer.from(text));
}

function textOf({ bytes }: LogRecord): string {
  return Buffer.from(bytes).toString();
}

async function readAll(log: EventLog, partition = 0, from = 0): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const batch of log.read(partition, from)) records.push(...batch);
  return records;
}
