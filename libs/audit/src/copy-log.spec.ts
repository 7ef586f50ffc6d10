import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import type { EventLog } from '#ports/event-log';
import { Projector } from '#projection/follow';
import { app, main } from '../../../test/fixture/event-builder.js';
import { type AuditedHistory, auditedHistory, shortLife, v3 } from '../../../test/fixture/audited-history.js';
import { exportLog, importLog } from './copy-log.js';
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

describe('a log that is copied into another', () => {
  it.each([1, 4])('of %i partitions keeps every decision, version and time', async (partitions) => {
    const log = target(partitions);

    expect(await importLog(log, exportLog(history.log), 0)).toBe(10);
    expect(await storyOf(log)).toEqual(await storyOf(history.log));
  });

  it('keeps them when it is copied once more', async () => {
    const [between, log] = [target(), target()];
    await importLog(between, exportLog(history.log), 0);
    await importLog(log, exportLog(between), 0);

    expect(await storyOf(log)).toEqual(await storyOf(history.log));
  });

  it('has proofs of its own, for the same values at the same times', async () => {
    const published = await history.publish();
    const old = verifyProof(
      await proveRef(history, published, { repo: app, ref: v3, offset: 6 }),
      history.signer.verifier,
    );
    const log = target();
    await importLog(log, exportLog(history.log), 0);
    const copy = auditedHistory({ log });
    await copy.follower.caughtUp();
    const text = await proveRef(copy, await copy.publish(), { repo: app, ref: v3, offset: 7 });
    const young = verifyProof(text, copy.signer.verifier);
    await copy.close();

    expect(young.ref?.value).toEqual(old.ref?.value);
    expect([young.entry.t, young.ref?.isReplayed]).toEqual([old.entry.t, true]);
  });

  it('is refused by one that has records, and so is what is not whole', async () => {
    await expect(importLog(history.log, exportLog(history.log), 0)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    const cut = async function* () {
      for await (const line of exportLog(history.log)) if (line.type !== 'summary') yield line;
    };
    await expect(importLog(target(), cut(), 0)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(importLog(target(2), exportLog(target(3)), 0)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
