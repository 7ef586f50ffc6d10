import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import type { EventLog } from '#ports/event-log';
import { Projector } from '#projection/follow';
import type { EncodedCommit } from '#core/commit';
import type { Event } from '#core/event';
import { parseRepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import {
  app,
  commitBatch,
  commitOn,
  documentBlob,
  layerBlob,
  main,
  recordBytes,
  repoCreate,
  txidOf,
} from '../../../test/fixture/event-builder.js';
import { type AuditedHistory, auditedHistory, newLog, shortLife, v3 } from '../../../test/fixture/audited-history.js';
import { exportLog, importLog } from './copy-log.js';
import type { ExportedLine, ExportedRecord } from './exported-log.js';
import { proveRef } from './prove.js';
import { verifyProof } from './verify-proof.js';

let history: AuditedHistory;
beforeEach(async () => {
  history = auditedHistory();
  await history.append(...shortLife());
});
afterEach(() => history.close());

const target = (partitions = 1): EventLog => openMemoryEventLog({ now: () => Date.UTC(2027, 0, 1) }, partitions);

/** What the graph says of a log once it is projected. */
async function storyOf(log: EventLog) {
  const graph = openMemoryGraphStore(log.partitionCount);
  const projector = new Projector({ log, graph });
  projector.start();
  await projector.caughtUp();
  await projector.stop();
  const moves = await graph.reflog(app, { limit: 100 });
  const told = moves.map(({ offset: _offset, ...move }) => move);
  return {
    repository: await graph.repository(app),
    main: await graph.ref(app, main),
    v3: await graph.ref(app, v3),
    told,
  };
}

async function outcomesOf(log: EventLog, events: readonly Event[]): Promise<(string | undefined)[]> {
  const graph = openMemoryGraphStore(log.partitionCount);
  const projector = new Projector({ log, graph });
  projector.start();
  await projector.caughtUp();
  await projector.stop();
  return Promise.all(
    events.map(async (event) => {
      const home = 'repo' in event ? partitionOf(event.repo, log.partitionCount) : 0;
      return (await graph.outcome(home, event.txid))?.outcome.type;
    }),
  );
}

describe('a log that is copied into another', () => {
  it.each([1, 4])('of %i partitions keeps every decision, version and time', async (partitions) => {
    const log = target(partitions);

    expect(await importLog(log, () => exportLog(history.log), 0)).toBe(10);
    expect(await storyOf(log)).toEqual(await storyOf(history.log));
  });

  it('into more partitions takes along what neighbours have brought, and not what a fence took', async () => {
    const log = newLog();
    const names = ['app', 'bee', 'cat', 'dog', 'eel', 'fox'].map(parseRepositoryName);
    const [one, two] = [names[0]!, names.find((name) => partitionOf(name, 4) !== partitionOf(names[0]!, 4))!];
    const [shared, config] = [layerBlob('shared'), documentBlob('config')];
    const [first, second, third] = ['first', 'second', 'third'].map((message) => commitOn([], message, { layers: [shared.diffId], config: config.digest })) as [EncodedCommit, EncodedCommit, EncodedCommit]; // prettier-ignore
    const events: Event[] = [
      repoCreate(txidOf('one'), { repo: one }),
      repoCreate(txidOf('two'), { repo: two }),
      commitBatch(txidOf('too early'), { repo: two, commits: [first] }),
      commitBatch(txidOf('brought'), { repo: one, commits: [first], blobs: [shared, config] }),
      commitBatch(txidOf('left out'), { repo: two, commits: [second] }),
      { type: 'gc.fence.v1', txid: txidOf('fence'), gcEpoch: 0, gcId: 'f'.repeat(32), blobs: [shared] },
      commitBatch(txidOf('too late'), { repo: two, commits: [third], gcEpoch: 1 }),
      commitBatch(txidOf('known'), { repo: two, commits: [second], gcEpoch: 1 }),
    ];
    for (const event of events) await log.append(0, [recordBytes(event)]);
    const copy = target(4);
    await importLog(copy, () => exportLog(log), 0);

    const [before, after] = [await outcomesOf(log, events), await outcomesOf(copy, events)];
    expect(after).toEqual(before);
    expect(before).toEqual(['accepted', 'accepted', 'rejected', 'accepted', 'accepted', 'accepted', 'rejected', 'accepted']); // prettier-ignore
  });

  it('keeps them when it is copied once more', async () => {
    const [between, log] = [target(), target()];
    await importLog(between, () => exportLog(history.log), 0);
    await importLog(log, () => exportLog(between), 0);

    expect(await storyOf(log)).toEqual(await storyOf(history.log));
  });

  it('has proofs of its own, for the same values at the same times', async () => {
    const published = await history.publish();
    const old = verifyProof(
      await proveRef(history, published, { repo: app, ref: v3, offset: 6 }),
      history.signer.verifier,
    );
    const log = target();
    await importLog(log, () => exportLog(history.log), 0);
    const copy = auditedHistory({ log });
    await copy.follower.caughtUp();
    const text = await proveRef(copy, await copy.publish(), { repo: app, ref: v3, offset: 7 });
    const young = verifyProof(text, copy.signer.verifier);
    await copy.close();

    expect(young.ref?.value).toEqual(old.ref?.value);
    expect([young.entry.t, young.ref?.isReplayed]).toEqual([old.entry.t, true]);
  });

  it('is refused by one that has records, or other partitions', async () => {
    await expect(importLog(history.log, () => exportLog(history.log), 0)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(importLog(target(2), () => exportLog(target(3)), 0)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  const changed = (change: (record: ExportedRecord) => ExportedRecord) => (lines: ExportedLine[]) =>
    lines.map((line) => (line.type === 'record' && line.offset === 3 ? change(line) : line));

  it.each<[string, (lines: ExportedLine[]) => ExportedLine[], RegExp]>([
    ['has no end', (lines) => lines.slice(0, -1), /breaks off/],
    ['has no beginning', (lines) => lines.slice(1), /no first line/],
    ['has two ends', (lines) => [...lines, ...lines.slice(-1)], /behind its last line/],
    ['begins twice', (lines) => [...lines.slice(0, 1), ...lines], /begins twice/],
    ['lost a record', (lines) => lines.filter((_, i) => i !== 4), /record 4 of partition 0 stands where 3 should/],
    ['lost its last record', (lines) => lines.filter((_, i) => i !== lines.length - 2), /10 records and has 9/],
    ['has two records in each other’s place', (lines) => lines.with(4, lines[5]!).with(5, lines[4]!), /stands where 3/],
    ['has a record twice', (lines) => [...lines.slice(0, 5), ...lines.slice(4)], /record 3 .* stands where 4/],
    ['has a record of no partition', changed((record) => ({ ...record, partition: 1 })), /has 1 partitions/],
    ['has another byte', changed((record) => ({ ...record, bytes: flipped(record.bytes) })), /digest/],
    ['has another time', changed((record) => ({ ...record, time: record.time + 1 })), /digest/],
    ['is of another log', ([head, ...rest]) => [{ ...head, log: 'lother' } as ExportedLine, ...rest], /digest/],
  ])('is no export when it %s', async (_what, damage, message) => {
    const lines: ExportedLine[] = [];
    for await (const line of exportLog(history.log)) lines.push(line);
    const damaged = async function* () {
      yield* damage(lines);
    };
    const error = await importLog(target(), damaged, 0).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'REQUEST_INVALID', message: expect.stringMatching(message) });
  });
});

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}
