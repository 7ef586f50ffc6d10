import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { pastOutcome } from '#audit/past-outcome';
import { branchRef } from '#core/name';
import { type AuditedHistory, auditedHistory, commits, shortLife, v3 } from '../../../test/fixture/audited-history.js';
import { absent, app, move, refUpdate, txidOf } from '../../../test/fixture/event-builder.js';
import { watch, type WatchedEvent } from './watch.js';

let history: AuditedHistory;
afterEach(() => history.close());

async function seen(audited: boolean): Promise<WatchedEvent[]> {
  const { log, graph, store } = history;
  const audit = { outcomeAt: (partition: number, offset: number) => pastOutcome(store, partition, offset) };
  const ending = new AbortController();
  const watched = { log, graph, ...(audited ? { audit } : {}) };
  const { events } = await watch(watched, { repo: app, after: 'start' }, ending.signal);
  const found: WatchedEvent[] = [];
  for await (const event of events()) {
    found.push(event);
    if (event.txid === txidOf('last')) ending.abort();
  }
  return found;
}

async function daysLater(): Promise<void> {
  let now = Date.UTC(2026, 0, 1);
  history = auditedHistory({ log: openMemoryEventLog({ now: () => (now += 1_000) }) });
  await history.append(...shortLife());
  await history.append(refUpdate(txidOf('late'), [move(v3, absent, commits[0]!.id, 'force')]));
  await history.append(refUpdate(txidOf('last'), [move(branchRef('last'), absent, commits[0]!.id)]));
  const before = await seen(false);
  for (let n = 1; n <= 4; n += 1) {
    now += 86_400_000;
    await history.append({ type: 'gc.fence.v1', txid: txidOf(`fence ${n}`), gcId: `g${n}`, gcEpoch: n - 1, blobs: [] });
  }
  expect(await history.graph.outcome(0, txidOf('last'))).toBeUndefined();
  const after = await seen(true);
  // Of a rejection the audit keeps the code and the words.
  const plain = ({ outcome, ...event }: WatchedEvent) => ({ ...event, outcome: { ...outcome, detail: {} } });
  expect(after.map(plain)).toEqual(before.map(plain));
  expect(before.some(({ outcome }) => outcome.type === 'rejected')).toBe(true);
}

describe('watch', () => {
  it('tells the same of the past when the graph has forgotten what became of it', daysLater);

  it('says so where nobody knows any more', async () => {
    await daysLater();
    await expect(seen(false)).rejects.toMatchObject({ code: 'OUTCOME_EXPIRED', detail: { partition: 0 } });
  });
});
