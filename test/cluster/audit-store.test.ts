import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openRedisAuditStore } from '#adapters/redis/redis-audit-store';
import { AuditWriter } from '#audit/audit-writer';
import { logName, openCheckpoint } from '#audit/checkpoint';
import { AuditFollower } from '#audit/follow-audit';
import { rootOf } from '#audit/merkle';
import { newSignerText, type NoteSigner, parseSigner } from '#audit/note';
import { readPath } from '#audit/audit-tree';
import { hashReader } from '#audit/read-hashes';
import { VarveError } from '#core/error';
import type { AuditStore } from '#ports/audit-store';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import { Projector } from '#projection/follow';
import { auditedHistory } from '../fixture/audited-history.js';
import { GrowingHistory } from '../fixture/growing-history.js';
import { OwnRedis } from '../fixture/redis-server.js';
import { until } from './gateway-client.js';

let server: OwnRedis;
let blobs: BlobStore;
let log: EventLog;
let graph: GraphStore;
let projector: Projector;
let history: GrowingHistory;
let signer: NoteSigner;
const writers: AuditWriter[] = [];
const stores: AuditStore[] = [];

beforeEach(async () => {
  let now = 1_000;
  log = openMemoryEventLog({ now: () => (now += 10) });
  graph = openMemoryGraphStore();
  projector = new Projector({ log, graph });
  projector.start();
  history = new GrowingHistory();
  signer = parseSigner(newSignerText(logName(log.id)));
  server = await OwnRedis.start();
  blobs = openMemoryBlobStore();
});
afterEach(async () => {
  await Promise.all(writers.splice(0).map((writer) => writer.close()));
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await projector.stop();
  await server.stop();
});

async function openStore(on: BlobStore = blobs): Promise<AuditStore> {
  const store = await openRedisAuditStore({ ...server.address, prefix: 'v:', blobs: on, scope: log.id });
  stores.push(store);
  return store;
}

async function startWriter(store: AuditStore): Promise<AuditWriter> {
  const random = (size: number) => Buffer.alloc(size, 7);
  const clock = { now: Date.now };
  const writer = await AuditWriter.start({ log, graph, store, signer, clock, random, intervalMs: 100 });
  writers.push(writer);
  return writer;
}

async function grow(records: number): Promise<void> {
  for (const record of history.take(records)) await log.append(0, [record]);
}

/** Until the tree has all of the log and that is signed. */
async function signed(store: AuditStore): Promise<number> {
  const end = await log.end(0);
  await until(`all ${end} records are signed`, async () => {
    const note = await store.checkpoint(0).catch(() => undefined);
    return note !== undefined && openCheckpoint(note, signer.verifier).size === end;
  });
  return end;
}

/** The root and the last path that the log gives on a store that lost nothing. */
async function expectSound(store: AuditStore): Promise<void> {
  const expected = auditedHistory({ log, signer });
  await expected.follower.caughtUp();
  const size = await expected.store.size(0);
  expect(await store.size(0)).toEqual(size);
  const [ours, theirs] = [store, expected.store].map((each) => hashReader(each, 0)) as [never, never];
  for (const entries of [1, 255, 256, 257, size.entries].filter((count) => count <= size.entries))
    expect(await rootOf(entries, ours)).toBe(await rootOf(entries, theirs));
  for (const n of [0, 127, 128, size.moves - 1].filter((move) => move < size.moves))
    expect(await readPath(store, 0)(n)).toEqual(await readPath(expected.store, 0)(n));
  const abouts = async (from: AuditStore) => (await from.entries(0, 0, size.entries)).map(({ about }) => about);
  expect(await abouts(store)).toEqual(await abouts(expected.store));
  await expected.close();
}

it('comes out the same when two processes write one tree', async () => {
  const [one, two] = [await openStore(), await openStore()];
  await Promise.all([startWriter(one), startWriter(two)]);
  for (let round = 0; round < 6; round += 1) await grow(150);
  await signed(one);
  await signed(two);
  await expectSound(one);
  await expectSound(two);
});

it('keeps no more in Redis than what is not full yet, and a few checkpoints for good', async () => {
  const store = await openStore();
  await startWriter(store);
  for (let round = 0; round < 8; round += 1) {
    await grow(200);
    await signed(store);
  }
  const held = (part: string) => server.ask((client) => client.hlen(`v:{audit}:0:${part}`));
  expect([await held('rows'), await held('paths'), await held('tiles')]).toEqual([expect.any(Number), expect.any(Number), 1]); // prettier-ignore
  expect(await held('rows')).toBeLessThan(256);
  expect(await held('paths')).toBeLessThan(128);
  const kept: DerivedAddress[] = [];
  for await (const { address } of blobs.derived('checkpoint')) kept.push(address);
  expect(kept.length).toBeLessThanOrEqual(5);
});

it.each([100, 700])('goes on from its last checkpoint when Redis is emptied after %s records', async (records) => {
  const store = await openStore();
  await startWriter(store);
  await grow(records);
  await signed(store);
  const note = await store.checkpoint(0);
  await server.ask((client) => client.flushall());

  // Whoever asks first, in a new process or an old one, finds what was promised: an entry that it has not read yet, too.
  expect((await store.entries(0, records - 3, records - 2)).map(({ offset }) => offset)).toEqual([records - 3]);
  expect(await (await openStore()).checkpoint(0)).toBe(note);
  expect(await store.checkpoint(0)).toBe(note);
  expect(await store.key()).toBe(signer.verifier.text);
  await grow(300);
  await signed(store);
  await expectSound(store);
});

it('goes on when Redis goes back to an older moment, also if nothing new comes', async () => {
  const store = await openStore();
  await startWriter(store);
  await grow(300);
  await signed(store);
  await server.snapshot();
  await grow(400);
  const size = await signed(store);
  const note = await store.checkpoint(0);
  await server.goBack();

  await until('the store answers again', async () => (await store.size(0).catch(() => undefined))?.entries === size);
  expect(await store.checkpoint(0)).toBe(note);
  await grow(10);
  await signed(store);
  await expectSound(store);
});

it('makes what was never signed again when Redis is emptied and nothing new comes', async () => {
  const store = await openStore();
  const follower = new AuditFollower({ log, graph, store });
  follower.start();
  await grow(300);
  await follower.caughtUp();
  await server.ask((client) => client.flushall());
  const end = await log.end(0);
  await until('the tree is there again', async () => (await store.size(0)).entries === end);
  await expectSound(store);
  await follower.stop();
});

it('makes its pieces again from the log when they are lost, and comes to what was signed', async () => {
  const store = await openStore();
  const writer = await startWriter(store);
  await grow(700);
  await signed(store);
  await writer.close();
  const note = await store.checkpoint(0);
  for await (const { address } of blobs.derived('audit')) await blobs.delete(address);
  await server.ask((client) => client.flushall());

  const again = await openStore();
  await startWriter(again);
  await until('the tree is there again', async () => (await again.size(0)).entries === 701);
  expect(await again.checkpoint(0)).toBe(note);
  await grow(10);
  await signed(again);
  await expectSound(again);
});

it('signs nothing when what is made again from the log is not what was signed, and tells those who read', async () => {
  const store = await openStore();
  const writer = await startWriter(store);
  await grow(700);
  await signed(store);
  await writer.close();
  await projector.stop();
  for await (const { address } of blobs.derived('audit')) await blobs.delete(address);
  await server.ask((client) => client.flushall());

  const records: Uint8Array[] = [];
  for await (const batch of log.read(0, 1)) records.push(...batch.map(({ bytes }) => bytes));
  const changed = openMemoryEventLog({ now: Date.now });
  records[400] = Buffer.from('this is not what stood here');
  for (const record of records) await changed.append(0, [record]);
  // The same name, as a log has whose records were changed where they lie.
  log = Object.assign(changed, { id: log.id });
  graph = openMemoryGraphStore();
  projector = new Projector({ log, graph });
  projector.start();
  const again = await openStore();
  const failure = await (await startWriter(again)).failed;
  expect(failure).toMatchObject({ code: 'CHECKPOINT_FORKED', message: expect.stringContaining('Nothing is signed') });
  await until('others hear of it', async () => (await store.alarm())?.code === 'CHECKPOINT_FORKED');
});

it('publishes what a process that died had signed for good, and has not shown', async () => {
  const store = await openStore(dyingAfterCheckpoint(blobs));
  await store.introduce('key');
  await expect(store.publish(0, undefined, 'signed')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await (await openStore()).checkpoint(0)).toBe('signed');
  const other = await openStore();
  expect(await other.publish(0, undefined, 'other')).toBe(false);
  expect(await other.publish(0, 'signed', 'next')).toBe(true);
});

/** As if the process had ended between the two steps of a publication. */
function dyingAfterCheckpoint(store: BlobStore): BlobStore {
  return Object.assign(Object.create(store) as BlobStore, {
    async stageDerived() {
      const staged = await store.stageDerived();
      return {
        write: (bytes: Uint8Array) => staged.write(bytes),
        read: () => staged.read(),
        discard: () => staged.discard(),
        async seal(address: DerivedAddress) {
          await staged.seal(address);
          if (address.kind === 'checkpoint') throw new VarveError('UNAVAILABLE', 'the process is gone');
        },
      };
    },
    open: (address: DerivedAddress) => store.open(address),
    stat: (address: DerivedAddress) => store.stat(address),
    delete: (address: DerivedAddress) => store.delete(address),
    derived: (kind: DerivedAddress['kind']) => store.derived(kind),
  });
}
