import { setTimeout as sleep } from 'node:timers/promises';
import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { parseRepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { Projector } from '#projection/follow';
import { absent, main, move, recordBytes, repoCreate, txidOf } from '../../../test/fixture/event-builder.js';
import { commits } from '../../../test/fixture/audited-history.js';
import { AuditWriter } from './audit-writer.js';
import { Auditor } from './auditor.js';
import { checkpointText, logName, openCheckpoint, originOf, signCheckpoint } from './checkpoint.js';
import type { Hash } from './merkle.js';
import { newSignerText, parseSigner } from './note.js';
import { verifyProof } from './verify-proof.js';

const repos = ['app', 'web', 'team/db', 'tools', 'base'].map(parseRepositoryName);

const clock = { now: Date.now };
const timed = { clock, random: (size: number) => Buffer.alloc(size, 7), intervalMs: 5, tellMs: 0 };

/** A log of three partitions with five repositories, and an audit that tells the log of every checkpoint at once. */
async function audited() {
  const log = openMemoryEventLog(clock, 3);
  const graph = openMemoryGraphStore(3);
  const store = openMemoryAuditStore();
  const projector = new Projector({ log, graph });
  projector.start();
  for (const repo of repos) {
    const event = repoCreate(txidOf(repo), {
      repo,
      commits: [commits[0]!],
      updates: [move(main, absent, commits[0]!.id)],
    });
    await log.append(partitionOf(repo, 3), [recordBytes(event)]);
  }
  await projector.caughtUp();
  const signer = parseSigner(newSignerText(logName(log.id)));
  const writer = await AuditWriter.start({ log, graph, store, signer, ...timed });
  const auditor = new Auditor({ log, graph, store, clock, writer });
  const elsewhere = new Auditor({ log, graph, store, clock });
  return { log, graph, store, signer, projector, writer, auditor, elsewhere };
}

describe('the audit of a log with several partitions', () => {
  it('has a tree for each, proves each repository in its own, and signs one tree over all', async () => {
    const { store, signer, projector, writer, auditor } = await audited();
    for (const repo of repos) {
      const { checkpoint, ref } = verifyProof(await auditor.proveRef(repo, main, { type: 'now' }), signer.verifier);
      expect(checkpoint.origin).toBe(`${signer.name}/${partitionOf(repo, 3)}`);
      expect(ref).toMatchObject({ repo, value: { commit: commits[0]!.id, version: 1 }, isReplayed: true });
    }
    const top = openCheckpoint(await auditor.checkpoint(3), signer.verifier);
    const leaves = (await store.entries(3, 0, top.size)).map(({ entry }) => Buffer.from(entry).toString());
    await writer.close();
    await projector.stop();

    expect(top.origin).toBe(signer.name);
    const last = openCheckpoint((await store.checkpoint(0)) as string, signer.verifier);
    expect(leaves.some((leaf) => leaf.startsWith(`${last.origin}\n`))).toBe(true);
    expect(leaves.every((leaf) => /^varve\.dev\/log\/\w+\/[012]\n\d+\n/.test(leaf))).toBe(true);
    expect(checkpointText(last).startsWith(`${last.origin}\n${last.size}\n`)).toBe(true);
  });

  it('is read without the key: it asks who has it to sign, and takes what is signed already for what is past', async () => {
    const { log, graph, store, signer, projector, writer, elsewhere } = await audited();
    expect(await elsewhere.publicKey()).toBe(signer.verifier.text);
    for (const repo of repos) {
      const { ref } = verifyProof(await elsewhere.proveRef(repo, main, { type: 'now' }), signer.verifier);
      expect(ref).toMatchObject({ repo, value: { commit: commits[0]!.id, version: 1 }, isReplayed: true });
    }
    const top = openCheckpoint(await elsewhere.checkpoint(3), signer.verifier);
    expect(top.size).toBeGreaterThanOrEqual(3);
    await writer.close();

    const partition = partitionOf(repos[0]!, 3);
    const late = repoCreate(txidOf('late'), { repo: repos[0]! });
    await log.append(partition, [recordBytes(late)]);
    await projector.caughtUp();
    const alone = new Auditor({ log, graph, store, clock, signatureMs: 20 });
    const proof = await alone.proveRef(repos[0]!, main, { type: 'offset', offset: 1 });
    expect(verifyProof(proof, signer.verifier).ref?.repo).toBe(repos[0]);
    await expect(alone.proveRef(repos[0]!, main, { type: 'now' })).rejects.toMatchObject({ code: 'NOT_PROJECTED' });
    await projector.stop();
  });

  it('tells those who only read why nothing is signed, until another one goes on', async () => {
    const { log, graph, store, signer, projector, writer, elsewhere } = await audited();
    const { checkpoint, size } = await elsewhere.published(0);
    await writer.close();
    // As after a history that was changed and signed again.
    const forged = signCheckpoint({ origin: originOf(log.id, 0), size, root: '\x01'.repeat(32) as Hash }, signer);
    await store.publish(0, checkpoint, forged);
    const halted = await AuditWriter.start({ log, graph, store, signer, ...timed });
    const failure = await halted.failed;
    expect(failure.code).toBe('CHECKPOINT_FORKED');
    await halted.close();
    await expect(elsewhere.published(0)).rejects.toMatchObject({ code: 'CHECKPOINT_FORKED', message: failure.message });

    await store.publish(0, forged, checkpoint);
    const mended = await AuditWriter.start({ log, graph, store, signer, ...timed });
    while (await store.alarm()) await sleep(5);
    expect((await elsewhere.published(0)).size).toBeGreaterThanOrEqual(size);
    await mended.close();
    await projector.stop();
  });
});
