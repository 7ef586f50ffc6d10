import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import type { OutcomeRow } from '#core/graph-row';
import { branchRef } from '#core/name';
import type { RefUpdate } from '#core/ref';
import {
  absent,
  app,
  commitBatch,
  main,
  move,
  recordBytes,
  refUpdate,
  repoCreate,
  txidOf,
} from '../../../test/fixture/event-builder.js';
import {
  type AuditedHistory,
  auditedHistory,
  commits,
  newLog,
  shortLife,
  v3,
} from '../../../test/fixture/audited-history.js';
import { AuditTree } from './audit-tree.js';
import { logName, originOf, signCheckpoint } from './checkpoint.js';
import { consistencyProof, leafHash } from './merkle.js';
import { judgedRecord } from './judged-record.js';
import { Notary } from './notary.js';
import { newSignerText, parseSigner } from './note.js';
import { parseProofFile } from './proof-file.js';
import { proveRecord, proveRef } from './prove.js';
import { hashReader } from './read-hashes.js';
import { linkProof } from './link-proof.js';
import { checkLinked, verifyProof } from './verify-proof.js';

let history: AuditedHistory;
beforeEach(async () => {
  history = auditedHistory();
  await history.append(...shortLife());
});
afterEach(() => history.close());

const prove = async (ref = v3, offset = 9) => proveRef(history, await history.publish(), { repo: app, ref, offset });
const verify = (text: string) => verifyProof(text, history.signer.verifier);

describe('a proof of a ref', () => {
  it('shows what it held at a record, who set it, and that the decision was right', async () => {
    const { checkpoint, entry, ref } = verify(await prove());

    expect(checkpoint).toMatchObject({ origin: originOf(history.log.id, 0), size: 10 });
    expect(entry).toMatchObject({ offset: 9, t: Date.UTC(2026, 0, 1, 0, 0, 11) });
    expect(ref).toMatchObject({
      repo: app,
      ref: v3,
      value: { commit: commits[1]!.id, version: 5 },
      until: null,
      isReplayed: true,
    });
    expect(ref?.setBy).toMatchObject({
      entry: { offset: 6 },
      event: { actor: { name: 'ann@host' }, reason: 'because of tag' },
    });
  });

  it('tells a tag that was moved and moved back from one that stayed', async () => {
    const before = verify(await prove(v3, 3)).ref;
    const after = verify(await prove(v3, 6)).ref;

    expect(after?.value?.commit).toBe(before?.value?.commit);
    expect(after?.value?.version).not.toBe(before?.value?.version);
    expect([before?.setBy?.entry.offset, after?.setBy?.entry.offset]).toEqual([3, 6]);
  });

  it('shows that a ref had never been', async () => {
    expect(verify(await prove(v3, 2)).ref).toMatchObject({ value: null, setBy: null, until: { offset: 3 } });
    expect(verify(await prove(branchRef('none'))).ref).toMatchObject({ value: null });
  });

  it('shows that a ref was deleted', async () => {
    await history.append(refUpdate(txidOf('gone'), [move(v3, { commit: commits[1]!.id, version: 5 }, null, 'force')]));

    expect(verify(await prove(v3, 10)).ref).toMatchObject({ value: { commit: null, version: 7 }, isReplayed: true });
  });

  it('replays the creation of a repository, and a record of several moves', async () => {
    expect(verify(await prove(main, 1)).ref).toMatchObject({ value: { version: 1 }, isReplayed: true });
    const both = [
      move(main, { commit: commits[1]!.id, version: 2 }, commits[2]!.id),
      move(branchRef('fix'), { commit: commits[1]!.id, version: 6 }, commits[2]!.id),
    ];
    await history.append(refUpdate(txidOf('both'), both, { commits: [commits[2]!] }));

    expect(verify(await prove(branchRef('fix'), 10)).ref).toMatchObject({ value: { version: 8 }, isReplayed: true });
  });

  it('carries the commits that show that a move went forward', async () => {
    const [, , c2, c3, c4] = commits;
    await history.append(commitBatch(txidOf('batch'), { commits: [c2!, c3!, c4!] }));
    await history.append(refUpdate(txidOf('far'), [move(main, { commit: commits[1]!.id, version: 2 }, c4!.id)]));
    const text = await prove(main, 11);

    expect(verify(text).ref).toMatchObject({ value: { commit: c4!.id, version: 7 }, isReplayed: true });
    const { extra, ...file } = parseProofFile(text);
    const without = JSON.parse(extra) as { move: { commits: string[] } };
    without.move.commits.splice(1, 1);
    expect(() => verify(rewritten(file, without))).toThrow(/by the rules the move is rejected/);
  });

  it('with any one byte changed is refused', async () => {
    const { checkpoint } = await history.publish();
    await history.append(refUpdate(txidOf('more'), [move(branchRef('z'), absent, commits[0]!.id)]));
    const path = await consistencyProof(10, 11, hashReader(history.store, 0));
    const bytes = Buffer.from(linkProof(await prove(v3, 5), { checkpoint, path }));
    expect(verify(bytes.toString()).linked?.size).toBe(10);

    const believed: number[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (at % 7 === 0 ? 0x20 : 1);
      try {
        verify(changed.toString('utf8'));
        believed.push(at);
      } catch (error) {
        expect(error).toMatchObject({ code: 'PROOF_INVALID' });
      }
    }
    expect(bytes.length).toBeGreaterThan(2_000);
    expect(believed).toEqual([]);
  });

  it.each([
    ['the next entry left out', (e: Loose) => (e['next'] = null)],
    ['the move left out', (e: Loose) => (e['move'] = null)],
    ['the value of before', (e: Loose) => (e['value'] = { commit: commits[0]!.id, version: 4 })],
    ['another ref', (e: Loose) => (e['ref'] = 'refs/tags/v4')],
    ['another repository', (e: Loose) => (e['repo'] = 'team/other')],
    ['a member that nobody reads', (e: Loose) => (e['note'] = 'trust me')],
    ['the value taken away', (e: Loose) => Object.assign(e, { value: null, move: null })],
  ])('with %s is refused', async (_what, change) => {
    const { extra, ...file } = parseProofFile(await prove(v3, 6));
    const evidence = JSON.parse(extra) as Loose;
    change(evidence);

    expect(() => verify(rewritten(file, evidence))).toThrow(expect.objectContaining({ code: 'PROOF_INVALID' }));
  });

  it('with the evidence of another record is refused', async () => {
    const { index, path, checkpoint } = parseProofFile(await prove(v3, 6));
    const { extra } = parseProofFile(await prove(v3, 5));

    expect(() => verify(rewritten({ index, path, checkpoint }, JSON.parse(extra) as Loose))).toThrow(/not in the tree/);
  });
});

describe('a proof of a record', () => {
  it('shows a record that was refused, with its code', async () => {
    await history.append(refUpdate(txidOf('late'), [move(v3, absent, commits[0]!.id, 'force')]));
    const text = await proveRecord(history, await history.publish(), 10);

    expect(verify(text)).toMatchObject({
      entry: { decision: 'rejected:REF_STALE' },
      record: { event: { type: 'ref.update.v1' } },
    });
  });

  it('shows a record that is no event', async () => {
    expect(verify(await proveRecord(history, await history.publish(), 7)).record).toEqual({ event: null });
  });
});

describe('the decision', () => {
  it('is made again: a log that took what the rules refuse is found out', async () => {
    // Whoever has the key signs what he likes, over a tree whose decisions are not the fold's.
    const [c0, c1] = commits;
    const taken = (moved: RefUpdate, version: number): OutcomeRow => {
      const moves = [{ ref: moved.ref, commit: moved.to, version }];
      const row = { txid: '', repo: app, request: null, offset: version, time: 0, stretch: 0 };
      return { ...row, outcome: { type: 'accepted', commits: [], moves } };
    };
    const made = move(v3, absent, c0!.id);
    const stolen = move(v3, { commit: c0!.id, version: 1 }, c1!.id);
    const log = newLog();
    await log.append(0, [
      recordBytes(repoCreate(txidOf(1), { commits: [c0!, c1!], updates: [made] })),
      recordBytes(refUpdate(txidOf(2), [stolen])),
    ]);
    const outcomes = new Map([
      [txidOf(1), taken(made, 1)],
      [txidOf(2), taken(stolen, 2)],
    ]);
    const store = openMemoryAuditStore();
    const tree = await AuditTree.open(store, 0);
    for await (const batch of log.read(0, 0)) {
      for (const record of batch) await tree.append([await judgedRecord(record, async (txid) => outcomes.get(txid))]);
    }
    const signer = parseSigner(newSignerText(logName(log.id)));
    const checkpoint = await new Notary(store, signer).publish(0, originOf(log.id, 0));
    const text = await proveRef(
      { log, store, graph: history.graph },
      { tree: 0, size: 3, checkpoint },
      { repo: app, ref: v3, offset: 2 },
    );

    expect(() => verifyProof(text, signer.verifier)).toThrow(/by the rules the move is rejected: tag .* only by force/);
  });
});

describe('a checkpoint that is known', () => {
  it('is the beginning of a later proof that links to it, and unlinked to one that does not', async () => {
    const first = verify(await prove());
    const { checkpoint } = await history.publish();
    await history.append(refUpdate(txidOf('more'), [move(branchRef('z'), absent, commits[0]!.id)]));
    const later = await prove(v3, 10);
    const path = await consistencyProof(10, 11, hashReader(history.store, 0));

    expect(() => checkLinked(verify(later), first.checkpoint)).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_UNLINKED' }),
    );
    expect(() => checkLinked(verify(linkProof(later, { checkpoint, path })), first.checkpoint)).not.toThrow();
    expect(() => checkLinked(first, first.checkpoint)).not.toThrow();
  });

  it('is contradicted by a fork, which has the same key and other records', async () => {
    const honest = verify(await prove());
    const fork = auditedHistory({ signer: history.signer });
    Object.assign(fork.log, { id: history.log.id });
    await fork.append(...shortLife().slice(0, 8), Buffer.from('another end'));
    const text = await proveRef(fork, await fork.publish(), { repo: app, ref: v3, offset: 3 });
    await fork.close();

    expect(() => checkLinked(verifyProof(text, history.signer.verifier), honest.checkpoint)).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_FORKED', message: expect.stringContaining('Keep both') }),
    );
  });

  it('of another log says nothing about this one', async () => {
    const other = auditedHistory();
    await other.append(...shortLife());
    const theirs = verifyProof(
      await proveRef(other, await other.publish(), { repo: app, ref: v3, offset: 6 }),
      other.signer.verifier,
    );
    await other.close();

    const text = await prove();
    expect(() => checkLinked(verify(text), theirs.checkpoint)).toThrow(/take a checkpoint of the same log/);
    expect(() => verifyProof(text, other.signer.verifier)).toThrow(/take the key of that log/);
  });
});

describe('the notary', () => {
  it('signs nothing that contradicts what it signed', async () => {
    const { size } = await history.publish();
    const before = (await history.store.checkpoint(0)) as string;
    const forged = signCheckpoint(
      { origin: originOf(history.log.id, 0), size, root: leafHash(Buffer.from('other')) },
      history.signer,
    );
    expect(await history.store.publish(0, before, forged)).toBe(true);

    await expect(history.publish()).rejects.toMatchObject({ code: 'CHECKPOINT_FORKED' });
    await history.append(Buffer.from('one more'));
    await expect(history.publish()).rejects.toMatchObject({
      code: 'CHECKPOINT_FORKED',
      message: expect.stringContaining('Nothing is signed'),
    });
    expect(await history.store.checkpoint(0)).toBe(forged);
  });

  it('does not go on under another key', async () => {
    await history.publish();
    const stranger = auditedHistory({
      log: history.log,
      store: history.store,
      signer: parseSigner(newSignerText(logName(history.log.id))),
    });
    await history.append(Buffer.from('one more'));

    await expect(stranger.publish()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('VARVE_AUDIT_KEY'),
    });
    await stranger.close();
  });

  it('publishes the same note for the same tree', async () => {
    expect(await history.publish()).toEqual(await history.publish());
  });
});

type Loose = Record<string, unknown>;

function rewritten(
  { index, path, checkpoint }: Omit<ReturnType<typeof parseProofFile>, 'extra'>,
  evidence: unknown,
): string {
  const head = [
    'c2sp.org/tlog-proof@v1',
    `extra ${Buffer.from(JSON.stringify(evidence)).toString('base64')}`,
    `index ${index}`,
  ];
  return `${[...head, ...path.map((hash) => Buffer.from(hash, 'latin1').toString('base64'))].join('\n')}\n\n${checkpoint}`;
}
