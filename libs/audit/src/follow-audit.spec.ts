import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { branchRef } from '#core/name';
import { absent, app, main, move, refUpdate, txidOf } from '../../../test/fixture/event-builder.js';
import { type AuditedHistory, auditedHistory, commits, shortLife, v3 } from '../../../test/fixture/audited-history.js';
import { decodeEntry, type AuditEntry } from './entry.js';
import { rootOf } from './merkle.js';
import { hashReader } from './read-hashes.js';
import { nothing } from './state-map.js';

async function entriesOf({ store }: AuditedHistory): Promise<AuditEntry[]> {
  const rows = await store.entries(0, 0, 100_000);
  return rows.map(({ entry }) => decodeEntry(entry) as AuditEntry);
}

describe('the entries of a partition', () => {
  it('tell what every record was and what became of it', async () => {
    const history = auditedHistory();
    await history.append(...shortLife());
    const entries = await entriesOf(history);
    await history.close();

    expect(entries.map(({ offset, type, decision }) => `${offset} ${type} ${decision}`)).toEqual([
      '0 rules.activate.v1 accepted',
      '1 repo.create.v1 accepted',
      '2 ref.update.v1 accepted',
      '3 ref.update.v1 accepted',
      // The transaction of record 2 again: it has its outcome.
      '4 ref.update.v1 none',
      '5 ref.update.v1 accepted',
      '6 ref.update.v1 accepted',
      '7 unreadable none',
      '8 ref.update.v1 none',
      '9 ref.update.v1 accepted',
    ]);
  });

  it('have another state after every move, also after one that takes back, and the same where nothing moves', async () => {
    const history = auditedHistory();
    await history.append(...shortLife());
    const states = (await entriesOf(history)).map(({ state }) => state);
    await history.close();

    expect(states[0]).toBe(nothing);
    expect(states[4]).toBe(states[3]);
    expect(states[6]).not.toBe(states[3]);
    expect(new Set(states).size).toBe(7);
  });

  it('keep proposals that were refused', async () => {
    const history = auditedHistory();
    await history.append(...shortLife());
    await history.append(refUpdate(txidOf('late'), [move(v3, absent, commits[0]!.id, 'force')]));
    const last = (await entriesOf(history)).at(-1);
    await history.close();

    expect(last).toMatchObject({ offset: 10, decision: 'rejected:REF_STALE' });
  });
});

describe('the tree', () => {
  it('is the same however it was made: at once, record by record, or with stops in between', async () => {
    const one = auditedHistory();
    const events = shortLife();
    for (const event of events) await one.append(event);
    for (let i = 0; i < 700; i += 1) {
      await one.append(
        refUpdate(txidOf(`b${i}`), [move(branchRef(`b${i % 50}`), { commit: null, version: 0 }, commits[0]!.id)], {
          repo: app,
        }),
      );
    }
    const store = openMemoryAuditStore();
    for (let round = 0; round < 3; round += 1) {
      const again = auditedHistory({ log: one.log, store });
      await again.follower.caughtUp();
      await again.close();
    }
    await one.close();

    const size = (await one.store.size(0)).entries;
    expect(await store.size(0)).toEqual(await one.store.size(0));
    expect(await store.entries(0, 0, size)).toEqual(await one.store.entries(0, 0, size));
    for (const count of [1, 255, 256, 257, 512, size]) {
      expect(await rootOf(count, hashReader(store, 0))).toBe(await rootOf(count, hashReader(one.store, 0)));
    }
  });

  it('is the same, byte for byte, when it is made again where the graph has forgotten what became of most', async () => {
    let now = Date.UTC(2026, 0, 1);
    const log = openMemoryEventLog({ now: () => (now += 1_000) });
    const one = auditedHistory({ log });
    await one.append(...shortLife());
    for (let n = 1; n <= 5; n += 1) {
      now += 86_400_000;
      await one.append({ type: 'gc.fence.v1', txid: txidOf(`fence ${n}`), gcId: `g${n}`, gcEpoch: n - 1, blobs: [] });
      const update = move(branchRef(`b${n}`), { commit: null, version: 0 }, commits[0]!.id);
      for (let copy = 0; copy < 2; copy += 1) await one.append(refUpdate(txidOf(`b${n}`), [update], { gcEpoch: n }));
    }
    expect(await one.graph.outcome(0, txidOf('b1'))).toBeUndefined();
    const again = auditedHistory({ log });
    await again.follower.caughtUp();
    await Promise.all([one.close(), again.close()]);

    const size = await one.store.size(0);
    expect(size.entries).toBe(10 + 15);
    expect(await again.store.size(0)).toEqual(size);
    expect(await again.store.entries(0, 0, 100)).toEqual(await one.store.entries(0, 0, 100));
    const decisions = (await entriesOf(again)).slice(10).map(({ decision }) => decision);
    expect(decisions).toEqual(Array.from({ length: 5 }, () => ['accepted', 'accepted', 'none']).flat());
  });

  it('is appended to once when two make it side by side', async () => {
    const one = auditedHistory();
    const two = auditedHistory({ log: one.log, store: one.store });
    await one.append(...shortLife());
    for (let i = 0; i < 300; i += 1) await one.log.append(0, [Buffer.from(`noise ${i}`)]);
    await Promise.all([one.follower.caughtUp(), two.follower.caughtUp()]);
    await Promise.all([one.close(), two.close()]);

    const rows = await one.store.entries(0, 0, 1_000);
    expect(rows.map(({ offset }) => offset)).toEqual(Array.from({ length: 310 }, (_, i) => i));
  });

  it('takes records that move very many refs in steps that a store can take at once', async () => {
    const one = auditedHistory();
    await one.append(...shortLife());
    const many = Array.from({ length: 5 }, (_none, n) => {
      const moves = Array.from({ length: 900 }, (_, i) => move(branchRef(`b${n}-${i}`), absent, commits[0]!.id));
      return refUpdate(txidOf(`many ${n}`), moves);
    });
    await one.append(...many);
    const store = openMemoryAuditStore();
    const append = store.append.bind(store);
    const steps: number[] = [];
    store.append = (tree, batch) => {
      steps.push(batch.paths.length);
      return append(tree, batch);
    };
    const again = auditedHistory({ log: one.log, store });
    await again.follower.caughtUp();
    await Promise.all([again.close(), one.close()]);

    expect((await store.size(0)).moves).toBe(4_500 + 6);
    expect(Math.max(...steps)).toBeLessThanOrEqual(2_048);
    expect(await rootOf(15, hashReader(store, 0))).toBe(await rootOf(15, hashReader(one.store, 0)));
  });

  it('stops, and goes no further, at a log that was cut off', async () => {
    const one = auditedHistory();
    await one.append(...shortLife());
    await one.close();
    const shorter = auditedHistory({ store: one.store });
    const failure = await shorter.follower.failure;
    await shorter.close();

    expect(failure).toMatchObject({
      code: 'LOG_TRUNCATED',
      message: expect.stringContaining('Restore it from a copy'),
    });
  });

  it('stops at a log whose last record is another', async () => {
    const one = auditedHistory();
    await one.append(...shortLife());
    await one.close();
    const other = auditedHistory({ store: one.store });
    for (let i = 0; i < 12; i += 1) await other.log.append(0, [Buffer.from(`other ${i}`)]);
    await other.close();
    const again = auditedHistory({ log: other.log, store: one.store });
    const failure = await again.follower.failure;
    await again.close();

    expect(failure.code).toBe('CORRUPT');
  });

  it('says of the main branch what the graph says', async () => {
    const history = auditedHistory();
    await history.append(...shortLife());
    await history.close();

    expect(await history.graph.ref(app, main)).toEqual({ commit: commits[1]!.id, version: 2 });
  });
});
