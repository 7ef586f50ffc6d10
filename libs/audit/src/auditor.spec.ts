import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { parseRepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { Projector } from '#projection/follow';
import { absent, main, move, recordBytes, repoCreate, txidOf } from '../../../test/fixture/event-builder.js';
import { commits } from '../../../test/fixture/audited-history.js';
import { Auditor } from './auditor.js';
import { checkpointText, logName, openCheckpoint } from './checkpoint.js';
import { newSignerText, parseSigner } from './note.js';
import { verifyProof } from './verify-proof.js';

const repos = ['app', 'web', 'team/db', 'tools', 'base'].map(parseRepositoryName);

/** A log of three partitions with five repositories, and an audit that tells the log of every checkpoint at once. */
async function audited() {
  const clock = { now: Date.now };
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
  const random = (size: number) => Buffer.alloc(size, 7);
  const auditor = await Auditor.start({ log, graph, store, signer, clock, random, intervalMs: 5, tellMs: 0 });
  return { log, store, signer, projector, auditor };
}

describe('the audit of a log with several partitions', () => {
  it('has a tree for each, proves each repository in its own, and signs one tree over all', async () => {
    const { store, signer, projector, auditor } = await audited();
    for (const repo of repos) {
      const { checkpoint, ref } = verifyProof(await auditor.proveRef(repo, main, { type: 'now' }), signer.verifier);
      expect(checkpoint.origin).toBe(`${signer.name}/${partitionOf(repo, 3)}`);
      expect(ref).toMatchObject({ repo, value: { commit: commits[0]!.id, version: 1 }, isReplayed: true });
    }
    const top = openCheckpoint(await auditor.checkpoint(3), signer.verifier);
    const leaves = (await store.entries(3, 0, top.size)).map(({ entry }) => Buffer.from(entry).toString());
    await auditor.close();
    await projector.stop();

    expect(top.origin).toBe(signer.name);
    const last = openCheckpoint((await store.checkpoint(0)) as string, signer.verifier);
    expect(leaves.some((leaf) => leaf.startsWith(`${last.origin}\n`))).toBe(true);
    expect(leaves.every((leaf) => /^varve\.dev\/log\/\w+\/[012]\n\d+\n/.test(leaf))).toBe(true);
    expect(checkpointText(last).startsWith(`${last.origin}\n${last.size}\n`)).toBe(true);
  });
});
