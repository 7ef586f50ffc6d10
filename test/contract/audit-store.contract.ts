import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditBatch, AuditRow, AuditStore } from '#ports/audit-store';
import type { Case } from './describe-each.js';

/** Of a full tile. */
const tileBytes = 256 * 32;

const row = (offset: number, moves = 0, about = '{}'): AuditRow => ({
  offset,
  entry: new Uint8Array(Buffer.from(`entry ${offset}`)),
  moves,
  about,
});
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const batch = (from: number, rows: readonly AuditRow[], more: Partial<AuditBatch> = {}): AuditBatch => ({
  from: { entries: from, moves: 0 },
  rows,
  paths: [],
  tiles: [],
  ...more,
});

async function found(store: AuditStore, texts: readonly string[], from = 0, to = 1_000): Promise<number[]> {
  const offsets: number[] = [];
  for await (const rows of store.search(0, { from, to, texts })) offsets.push(...rows.map(({ offset }) => offset));
  return offsets;
}

/** What every AuditStore keeps true. */
export const auditStoreContract: Case<AuditStore>[] = [
  {
    title: 'begins empty, in every tree',
    async run(store) {
      expect(await store.size(3)).toEqual({ entries: 0, moves: 0 });
      expect(await store.entries(0, 0, 10)).toEqual([]);
      expect(await store.checkpoint(0)).toBeUndefined();
      expect(await store.tile(0, 0, 0)).toBeUndefined();
      expect(await store.path(0, 0)).toBeUndefined();
    },
  },
  {
    title: 'gives back what was appended, entry by entry, path by path, tile by tile',
    async run(store) {
      const tiles = [{ level: 1, index: 0, hashes: bytes('t') }];
      expect(await store.append(0, batch(0, [row(0), row(1, 1)], { paths: [bytes('p')], tiles }))).toBe(true);

      expect(await store.size(0)).toEqual({ entries: 2, moves: 1 });
      expect(
        (await store.entries(0, 1, 9)).map(({ entry, ...rest }) => ({ ...rest, entry: Buffer.from(entry).toString() })),
      ).toEqual([{ offset: 1, moves: 1, about: '{}', entry: 'entry 1' }]);
      expect(Buffer.from((await store.path(0, 0)) ?? []).toString()).toBe('p');
      expect(Buffer.from((await store.tile(0, 1, 0)) ?? []).toString()).toBe('t');
    },
  },
  {
    title: 'finds by words what has the texts, in a long tree too',
    async run(store) {
      const actor = (offset: number): string => `a${offset % 7}`;
      for (let from = 0; from < 600; from += 200) {
        const rows = Array.from({ length: 200 }, (_, i) => {
          const offset = from + i;
          return { ...row(offset, 0, JSON.stringify({ actor: actor(offset) })), words: [actor(offset), `n${offset}`] };
        });
        await store.append(0, batch(from, rows));
      }
      const ask = async (words: readonly string[], text: string, from = 0, to = 1_000) => {
        const offsets: number[] = [];
        for await (const rows of store.search(0, { from, to, texts: [text], words }))
          offsets.push(...rows.map(({ offset }) => offset));
        return offsets;
      };
      const expected = Array.from({ length: 600 }, (_, offset) => offset).filter((offset) => actor(offset) === 'a3');
      expect(await ask(['a3'], '"actor":"a3"')).toEqual(expected);
      expect(await ask(['a3', 'n3'], '"actor":"a3"')).toContain(3);
      expect(await ask([], '"actor":"a3"', 100, 200)).toEqual(expected.filter((offset) => offset >= 100 && offset < 200)); // prettier-ignore
      expect(await ask(['a9'], '"actor":"a9"')).toEqual([]);
    },
  },
  {
    title: 'keeps trees apart',
    async run(store) {
      await store.append(0, batch(0, [row(0)]));
      await store.append(1, batch(0, [row(0), row(1)]));
      expect([(await store.size(0)).entries, (await store.size(1)).entries]).toEqual([1, 2]);
    },
  },
  {
    title: 'takes nothing of a batch that does not follow the last',
    async run(store) {
      await store.append(0, batch(0, [row(0)]));
      expect(await store.append(0, batch(0, [row(0), row(1)], { paths: [bytes('p')] }))).toBe(false);
      expect(await store.append(0, { ...batch(1, [row(1)]), from: { entries: 1, moves: 5 } })).toBe(false);
      expect(await store.size(0)).toEqual({ entries: 1, moves: 0 });
      expect(await store.path(0, 0)).toBeUndefined();
    },
  },
  {
    title: 'replaces a tile that grew',
    async run(store) {
      await store.append(0, batch(0, [row(0)], { tiles: [{ level: 1, index: 0, hashes: bytes('a') }] }));
      await store.append(0, batch(1, [row(1)], { tiles: [{ level: 1, index: 0, hashes: bytes('ab') }] }));
      expect(Buffer.from((await store.tile(0, 1, 0)) ?? []).toString()).toBe('ab');
    },
  },
  {
    title: 'finds entries whose text has all that is asked for, in order, within a range',
    async run(store) {
      const rows = Array.from({ length: 600 }, (_, i) => row(i, 0, JSON.stringify({ n: `n${i % 3}`, m: `m${i % 2}` })));
      await store.append(0, batch(0, rows));
      const wanted = rows.map(({ offset }) => offset).filter((offset) => offset % 6 === 1);
      expect(await found(store, ['"n1"', '"m1"'])).toEqual(wanted);
      expect(await found(store, ['"n1"'], 3, 5)).toEqual([4]);
      expect(await found(store, [])).toHaveLength(600);
      expect(await found(store, ["'"])).toEqual([]);
    },
  },
  {
    title: 'publishes a checkpoint only after the one that was published last',
    async run(store) {
      expect(await store.publish(0, undefined, 'one')).toBe(true);
      expect(await store.publish(0, undefined, 'two')).toBe(false);
      expect(await store.publish(0, 'one', 'two')).toBe(true);
      expect(await store.publish(0, 'one', 'three')).toBe(false);
      expect([await store.checkpoint(0), await store.checkpoint(1)]).toEqual(['two', undefined]);
    },
  },
  {
    title: 'belongs to the first log that is named, and to no other',
    async run(store) {
      await store.bind('l1');
      await store.bind('l1');
      await expect(store.bind('l2')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  },
  {
    title: 'takes one of two batches that follow the same one, whole',
    async run(store) {
      for (let from = 0; from < 60; from += 3) {
        const rival = (name: string) =>
          batch(from, [row(from, 0, `{"by":"${name}"}`), row(from + 1, 0, `{"by":"${name}"}`), row(from + 2, 0, `{"by":"${name}"}`)]); // prettier-ignore
        const took = await Promise.all([store.append(0, rival('a')), store.append(0, rival('b'))]);
        expect(took.filter(Boolean)).toHaveLength(1);
        const by = took[0] ? '{"by":"a"}' : '{"by":"b"}';
        expect((await store.entries(0, from, from + 3)).map(({ about }) => about)).toEqual([by, by, by]);
      }
    },
  },
  {
    title: 'publishes one of two checkpoints that follow the same one',
    async run(store) {
      for (let n = 0, last: string | undefined; n < 10; n += 1) {
        const rivals = [`${n} a`, `${n} b`] as const;
        const took = await Promise.all(rivals.map((note) => store.publish(0, last, note)));
        expect(took.filter(Boolean)).toHaveLength(1);
        last = rivals[took.indexOf(true)] as string;
        expect(await store.checkpoint(0)).toBe(last);
      }
    },
  },
  {
    title: 'gives back everything of a tree that has outgrown a tile, in whatever steps it grew',
    async run(store) {
      const steps = [1, 255, 1, 300, 43, 168, 256];
      const path = (n: number) => bytes(`path ${n}`);
      const tile = (index: number) => bytes(`${index}`.padEnd(tileBytes, '.'));
      let from = { entries: 0, moves: 0 };
      for (const count of steps) {
        const rows = Array.from({ length: count }, (_, i) => row(from.entries + i, 2 * (from.entries + i + 1)));
        const paths = Array.from({ length: 2 * count }, (_, i) => path(from.moves + i));
        const to = { entries: from.entries + count, moves: from.moves + paths.length };
        const tiles = [];
        for (let index = Math.floor(from.entries / 256); index < Math.floor(to.entries / 256); index += 1)
          tiles.push({ level: 0, index, hashes: tile(index) });
        tiles.push({ level: 1, index: 0, hashes: bytes(`grown to ${to.entries}`) });
        expect(await store.append(0, { from, rows, paths, tiles })).toBe(true);
        from = to;
        expect(await store.size(0)).toEqual(to);
      }
      expect((await store.entries(0, 0, 2_000)).map(({ offset, moves }) => moves - 2 * offset)).toEqual(
        Array.from({ length: 1_024 }, () => 2),
      );
      expect((await store.entries(0, 250, 260)).map(({ entry }) => Buffer.from(entry).toString())).toEqual(
        Array.from({ length: 10 }, (_, i) => `entry ${250 + i}`),
      );
      for (const n of [0, 1, 255, 256, 1_023, 1_500, 2_047])
        expect(Buffer.from((await store.path(0, n)) ?? []).toString()).toBe(`path ${n}`);
      expect(await store.path(0, 2_048)).toBeUndefined();
      for (const index of [0, 1, 2, 3])
        expect(Buffer.from((await store.tile(0, 0, index)) ?? []).equals(tile(index))).toBe(true);
      expect(await store.tile(0, 0, 4)).toBeUndefined();
      expect(Buffer.from((await store.tile(0, 1, 0)) ?? []).toString()).toBe('grown to 1024');
    },
  },
  {
    title: 'knows who signs, hears wishes, and tells why nobody signs',
    async run(store) {
      expect([await store.key(), await store.alarm()]).toEqual([undefined, undefined]);
      await store.introduce('old');
      await store.introduce('new');
      expect(await store.key()).toBe('new');

      const heard: number[] = [];
      const leave = store.onWish((tree) => heard.push(tree));
      for (let tries = 0; heard.length === 0 && tries < 500; tries += 1) {
        await store.wish(3);
        await sleep(10);
      }
      expect(new Set(heard)).toEqual(new Set([3]));
      leave();

      const alarm = { code: 'CHECKPOINT_FORKED', message: 'it was changed' } as const;
      await store.raise(alarm);
      expect(await store.alarm()).toEqual(alarm);
      await store.raise(undefined);
      expect(await store.alarm()).toBeUndefined();
    },
  },
  {
    title: 'still has everything after closing and opening again',
    gap: 'reopen',
    async run(store, { reopen }) {
      await store.bind('l1');
      await store.append(0, batch(0, [row(0), row(1, 1)], { paths: [bytes('p')] }));
      await store.introduce('key');
      await store.publish(0, undefined, 'one');
      const again = await reopen();
      expect(await again.key()).toBe('key');
      expect(await again.size(0)).toEqual({ entries: 2, moves: 1 });
      expect(await again.checkpoint(0)).toBe('one');
      await expect(again.bind('l2')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  },
];
