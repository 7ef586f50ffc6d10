import { encodeCommit, newCommit } from './commit.js';
import { digestOf, type DiffId } from './digest.js';
import type { Event } from './event.js';
import { decodeEvent, encodeEvent } from './event-codec.js';
import { limit } from './limit.js';
import { branchRef, parseRepositoryName, tagRef } from './name.js';

const envelope = { source: 'varve/test', time: 1_700_000_000_000, salt: Buffer.alloc(16, 1) };
const commit = encodeCommit(newCommit({ message: 'ä' }));
const txid = '0123456789abcdef0123456789abcdef';
const repo = parseRepositoryName('team/app');
const main = branchRef('main');
const digest = digestOf('blob');

const proposed = { txid, repo, actor: { name: 'ann', verified: false }, request: 'a'.repeat(64), gcEpoch: 3 };
const proposal = {
  ...proposed,
  operation: 'commit',
  reason: 'because "ü"\n',
  commits: [commit.bytes],
  blobs: [
    { digest, size: 5, incarnation: 'abc-_1', mediaType: 'a/b', layer: { diffId: digest as DiffId, tarBytes: 10 } },
    { digest, size: 5, incarnation: 'abc-_2', mediaType: 'a/b', layer: null },
  ],
  updates: [
    { ref: main, expect: { commit: null, version: 0 }, to: commit.id, mode: 'ff' },
    { ref: tagRef('v1'), expect: { commit: commit.id, version: 7 }, to: null, mode: 'force' },
  ],
} as const;
const refUpdate: Event = { type: 'ref.update.v1', ...proposal };

const events: readonly Event[] = [
  { type: 'repo.create.v1', defaultBranch: main, ...proposal },
  { type: 'commit.batch.v1', ...proposal, updates: [] },
  refUpdate,
  { type: 'tx.cancel.v1', ...proposed, target: 'f'.repeat(64), targetEpoch: 2 },
  { type: 'rules.activate.v1', txid, rules: 1 },
  { type: 'gc.fence.v1', txid, gcEpoch: 2, gcId: 'g', blobs: [{ digest, incarnation: 'i' }] },
  { type: 'blob.swept.v1', txid, gcEpoch: 4, gcId: 'g', blobs: [] },
];

describe('an event', () => {
  it.each(events.map((event) => [event.type, event] as const))(
    'of type %s reads back from its bytes',
    (_type, event) => {
      expect(decodeEvent(encodeEvent(event, envelope))).toEqual({ type: 'event', event });
    },
  );

  it('is a CloudEvents document in structured mode', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const document: unknown = JSON.parse(Buffer.from(encodeEvent(refUpdate, { ...envelope, traceparent })).toString());
    expect(document).toMatchObject({
      specversion: '1.0',
      id: txid,
      source: 'varve/test',
      type: 'dev.varve.ref.update.v1',
      subject: repo,
      partitionkey: repo,
      time: '2023-11-14T22:13:20.000Z',
      dataschema: 'varve:ref.update/1',
      traceparent,
      data: { salt: 'AQEBAQEBAQEBAQEBAQEBAQ==', commits: [Buffer.from(commit.bytes).toString('base64')] },
    });
  });

  it('may have members that a later writer added', () => {
    const changed = edited((document) => {
      document['extension'] = 1;
      document['data']['later'] = { deep: [] };
      document['data']['blobs'][0]['later'] = true;
    });
    expect(decodeEvent(changed)).toEqual({ type: 'event', event: refUpdate });
  });
});

// oxlint-disable-next-line typescript/no-explicit-any -- a document that a test breaks on purpose
type Document = Record<string, any>;

function edited(edit: (document: Document) => void, event: Event = refUpdate): Uint8Array {
  const document = JSON.parse(Buffer.from(encodeEvent(event, envelope)).toString()) as Document;
  edit(document);
  return Buffer.from(JSON.stringify(document));
}

describe('a malformed record', () => {
  it.each<[string, string, (document: Document) => void]>([
    ['another specversion', 'specversion', (d) => void (d['specversion'] = '0.3')],
    ['an unknown type', 'its type', (d) => void (d['type'] = 'dev.varve.ref.update.v2')],
    ['a type that every object has', 'its type', (d) => void (d['type'] = 'dev.varve.constructor')],
    ['no data', 'data', (d) => void delete d['data']],
    ['data that is a list', 'data', (d) => void (d['data'] = [])],
    ['no repository', 'subject', (d) => void delete d['subject']],
    ['an actor without a name', 'name', (d) => void delete d['data']['actor']['name']],
    ['an actor who is verified perhaps', 'actor.verified', (d) => void (d['data']['actor']['verified'] = 'yes')],
    ['a request that is no digest', 'request', (d) => void (d['data']['request'] = 'abc')],
    ['no request', 'request', (d) => void delete d['data']['request']],
    ['a negative epoch', 'gcEpoch', (d) => void (d['data']['gcEpoch'] = -1)],
    ['a fraction of an epoch', 'gcEpoch', (d) => void (d['data']['gcEpoch'] = 0.5)],
    ['an unknown operation', 'operation', (d) => void (d['data']['operation'] = 'toString')],
    ['a reason that is no text', 'reason', (d) => void (d['data']['reason'] = null)],
    ['a reason with a lone surrogate', 'reason', (d) => void (d['data']['reason'] = '\ud800')],
    ['commits that are no list', 'commits', (d) => void (d['data']['commits'] = { length: 0 })],
    ['a commit in base64 that is not canonical', 'base64', (d) => void (d['data']['commits'] = ['QQ'])],
    ['a commit that is no base64', 'base64', (d) => void (d['data']['commits'] = ['????'])],
    ['a blob without a digest', 'digest', (d) => void (d['data']['blobs'][0]['digest'] = 'sha256:00')],
    ['an incarnation that leads elsewhere', 'incarnation', (d) => void (d['data']['blobs'][0]['incarnation'] = '../x')],
    ['a blob of unknown size', 'size', (d) => void (d['data']['blobs'][0]['size'] = '5')],
    ['a blob that may be a layer', 'layer', (d) => void delete d['data']['blobs'][0]['layer']],
    ['a media type that is too long', 'mediaType', (d) => void (d['data']['blobs'][0]['mediaType'] = 'a'.repeat(256))],
    ['a ref in short form', 'ref', (d) => void (d['data']['updates'][0]['ref'] = 'heads/main')],
    ['a ref with a bad name', 'ref', (d) => void (d['data']['updates'][0]['ref'] = 'refs/heads/a..b')],
    ['no expectation', 'expect', (d) => void delete d['data']['updates'][0]['expect']],
    ['an expectation without a version', 'version', (d) => void delete d['data']['updates'][0]['expect']['version']],
    ['a target that is no id', 'to is', (d) => void (d['data']['updates'][0]['to'] = 'main')],
    ['a target left out', 'to is', (d) => void delete d['data']['updates'][0]['to']],
    ['an unknown mode', 'mode', (d) => void (d['data']['updates'][0]['mode'] = 'maybe')],
    ['a ref that is moved twice', 'twice', (d) => void (d['data']['updates'][1]['ref'] = 'refs/heads/main')],
  ])('with %s says so, and whose it was', (_title, reason, edit) => {
    const decoded = decodeEvent(edited(edit));
    expect(decoded).toMatchObject({ type: 'malformed', txid, reason: expect.stringContaining(reason) });
    expect(decoded).toMatchObject({ repo: reason === 'subject' ? null : repo });
  });

  it.each<[string, Event, (document: Document) => void]>([
    ['a batch that moves refs', events[1] as Event, (d) => void (d['data']['updates'] = proposal.updates)],
    ['a default branch that is a tag', events[0] as Event, (d) => void (d['data']['defaultBranch'] = 'refs/tags/v1')],
    ['a cancellation of itself', events[3] as Event, (d) => void (d['data']['target'] = txid)],
    ['rules that are no number', events[4] as Event, (d) => void (d['data']['rules'] = 'one')],
    ['a fence without a list', events[5] as Event, (d) => void delete d['data']['blobs']],
  ])('with %s says so', (_title, event, edit) => {
    expect(decodeEvent(edited(edit, event))).toMatchObject({ type: 'malformed', txid });
  });

  it('with too many moves says so', () => {
    const update = (n: number) => ({ ...proposal.updates[0], ref: `refs/heads/b${n}` });
    const count = limit.refUpdatesPerRecordMax + 1;
    const decoded = decodeEvent(
      edited((d) => void (d['data']['updates'] = Array.from({ length: count }, (_, n) => update(n)))),
    );
    expect(decoded).toMatchObject({ type: 'malformed', reason: expect.stringContaining(`${count} refs`) });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{"id":')],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['null', Buffer.from('null')],
    ['a number', Buffer.from('1')],
    ['a list', Buffer.from('[]')],
    ['a very deep list', Buffer.from('['.repeat(250_000) + ']'.repeat(250_000))],
    ['an unreadable transaction', edited((d) => void (d['id'] = 'ABC'))],
    ['a transaction that is no text', edited((d) => void (d['id'] = { toString: 1 }))],
    ['more than a record may have', Buffer.alloc(limit.recordBytesMax + 1, 0x20)],
  ])('of %s belongs to nobody', (_title, bytes) => {
    expect(decodeEvent(bytes)).toMatchObject({ type: 'malformed', txid: null });
  });

  it('is a value whatever single byte is broken', () => {
    const bytes = encodeEvent(refUpdate, envelope);
    for (let at = 0; at < bytes.length; at += 1) {
      for (const value of [0, 0x22, 0x7b, 0xff]) {
        const broken = Uint8Array.from(bytes);
        broken[at] = value;
        expect(['event', 'malformed']).toContain(decodeEvent(broken).type);
      }
    }
  });
});
