import {
  absent,
  app,
  commitOn,
  documentBlob,
  main,
  move,
  recordBytes,
  refUpdate,
  repoCreate,
  txidOf,
} from '../../../test/fixture/event-builder.js';
import { FoldedWorld } from '../../../test/fixture/folded-world.js';
import type { Event, ImportedFrom } from './event.js';
import { decodeEvent, encodeEvent, encodeImport, unwrapImport } from './event-codec.js';
import { limit } from './limit.js';

const genesis = commitOn([], 'genesis');
const created = repoCreate(txidOf('create'), {
  commits: [genesis],
  updates: [move(main, absent, genesis.id)],
  operation: 'init',
});
const from: ImportedFrom = { log: 'lold', partition: 0, offset: 1, time: 500 };
const wrapped = (bytes: Uint8Array, at: ImportedFrom = from) =>
  encodeImport({ bytes, from: at, knownBlobs: [] }, { source: 'varve/lnew', time: 9_999 });

/** As a writer before request ids put it into the log. Never to be changed: it is what old logs hold. */
const olderRecord =
  '{"specversion":"1.0","id":"0123456789abcdef0123456789abcdef","source":"varve/l0","type":"dev.varve.ref.update.v1",' +
  '"subject":"team/app","time":"2026-11-01T00:00:00.000Z","datacontenttype":"application/json",' +
  '"dataschema":"varve:ref.update/1","partitionkey":"team/app","data":{"salt":"AAAAAAAAAAAAAAAAAAAAAA==",' +
  '"actor":{"name":"ann@host","verified":false},"request":null,"gcEpoch":0,"operation":"tag","reason":"",' +
  '"commits":[],"blobs":[],"updates":[]}}';

describe('the id of a request', () => {
  it('is carried by the event', () => {
    const event = { ...refUpdate(txidOf('a'), []), requestId: 'req-7' } as Event;

    expect(decodeEvent(recordBytes(event))).toEqual({ type: 'event', event });
  });

  it('is absent from records that were written before there was one, which read as they did', () => {
    expect(decodeEvent(Buffer.from(olderRecord))).toEqual({
      type: 'event',
      event: {
        type: 'ref.update.v1',
        txid: '0123456789abcdef0123456789abcdef',
        repo: app,
        actor: { name: 'ann@host', verified: false },
        request: null,
        gcEpoch: 0,
        operation: 'tag',
        reason: '',
        commits: [],
        blobs: [],
        updates: [],
      },
    });
  });
});

describe('a record of another log', () => {
  it('is read as the record that it wraps, with where that stood', () => {
    const bytes = recordBytes(created);

    expect(decodeEvent(wrapped(bytes))).toEqual({ type: 'event', event: created, imported: from });
    expect(unwrapImport(wrapped(bytes))?.bytes).toEqual(Buffer.from(bytes));
  });

  it('keeps its first place when it is copied twice', () => {
    const twice = wrapped(wrapped(recordBytes(created)), { log: 'lmid', partition: 3, offset: 9, time: 700 });

    expect(decodeEvent(twice)).toEqual({ type: 'event', event: created, imported: from });
  });

  it('names also what was known where it stood', () => {
    const knownBlobs = [documentBlob('config')];
    const bytes = encodeImport(
      { bytes: recordBytes(created), from, knownBlobs },
      { source: 'varve/lnew', time: 9_999 },
    );
    const again = encodeImport({ ...unwrapImport(bytes)!, from }, { source: 'varve/lnew', time: 9_999 });

    for (const read of [bytes, again]) {
      expect(decodeEvent(read)).toEqual({ type: 'event', event: { ...created, blobs: knownBlobs }, imported: from });
    }
  });

  it('may be as long as a record, and its wrapping longer', () => {
    const bytes = Buffer.alloc(limit.recordBytesMax, 0x20);

    expect(wrapped(bytes).length).toBeLessThanOrEqual(limit.importRecordBytesMax);
    expect(decodeEvent(wrapped(bytes))).toMatchObject({ type: 'malformed', reason: 'it is not JSON in UTF-8' });
  });

  it.each([
    ['bytes that are not base64', '"bytes":"', '"bytes":"*'],
    ['no offset', '"originalOffset":1', '"originalOffset":-1'],
    ['known blobs that are none', '"bytes":"', '"knownBlobs":[{}],"bytes":"'],
  ])('is malformed with %s', (_what, text, other) => {
    const bytes = Buffer.from(
      Buffer.from(wrapped(recordBytes(created)))
        .toString()
        .replace(text, other),
    );

    expect(decodeEvent(bytes)).toMatchObject({ type: 'malformed', txid: null });
  });

  it('has the outcome, the versions and the time that it had', async () => {
    const world = await FoldedWorld.empty();
    const activation = recordBytes({ type: 'rules.activate.v1', txid: txidOf('rules'), rules: 1 });
    world.see(recordBytes({ type: 'rules.activate.v1', txid: txidOf('new'), rules: 1 }), 9_000);
    world.see(wrapped(activation, { ...from, offset: 0, time: 400 }), 9_001);

    const outcome = world.see(wrapped(recordBytes(created)), 9_002);

    expect(outcome).toMatchObject({ txid: txidOf('create'), time: 500, outcome: { type: 'accepted' } });
    expect(world.facts.ref(app, main)).toEqual({ commit: genesis.id, version: 1 });
    expect(world.facts.repository(app)?.createdAt).toBe(500);
  });

  it('turns the clock back at the beginning of a partition and nowhere else', async () => {
    const world = await FoldedWorld.given(created);
    const late = recordBytes({ type: 'rules.activate.v1', txid: txidOf('late'), rules: 1 });
    for (let i = 0; i < 8; i += 1) world.see(recordBytes(refUpdate(txidOf(`n${i}`), [])), 5_000);

    world.see(wrapped(late, { ...from, offset: 0, time: 400 }), 6_000);

    expect(world.facts.partition().time).toBe(5_000);
  });
});

describe('a checkpoint in the log', () => {
  it('is accepted, and changes nothing but the time', async () => {
    const world = await FoldedWorld.given(created);
    const event: Event = { type: 'checkpoint.v1', txid: txidOf('c'), origin: 'o/0', size: 2, root: 'r', note: 'n' };
    const before = world.facts.repository(app);

    expect(decodeEvent(encodeEvent(event, { source: 's', time: 0, salt: Buffer.alloc(16) }))).toEqual({
      type: 'event',
      event,
    });
    expect(world.see(event)).toMatchObject({ outcome: { type: 'accepted', commits: [], moves: [] } });
    expect(world.facts.repository(app)).toEqual(before);
  });
});
