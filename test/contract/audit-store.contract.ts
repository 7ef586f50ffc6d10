import type { AuditBatch, AuditRow, AuditStore } from '#ports/audit-store';
import type { Case } from './describe-each.js';

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
    title: 'still has everything after closing and opening again',
    gap: 'reopen',
    async run(store, { reopen }) {
      await store.bind('l1');
      await store.append(0, batch(0, [row(0), row(1, 1)], { paths: [bytes('p')] }));
      await store.publish(0, undefined, 'one');
      const again = await reopen();
      expect(await again.size(0)).toEqual({ entries: 2, moves: 1 });
      expect(await again.checkpoint(0)).toBe('one');
      await expect(again.bind('l2')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  },
];
