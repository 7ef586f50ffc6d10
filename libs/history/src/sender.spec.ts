import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { recordsOf, wrapLog } from '../../../test/fixture/wrapped-stores.js';
import { Sender } from './sender.js';

function countingLog() {
  const stored = openMemoryEventLog({ now: () => 0 });
  const appends: Uint8Array[][] = [];
  let inFlight = 0;
  const log = wrapLog(stored, {
    async append(partition, records) {
      inFlight += 1;
      expect(inFlight).toBe(1);
      appends.push([...records]);
      await new Promise(setImmediate);
      await stored.append(partition, records);
      inFlight -= 1;
    },
  });
  return {
    log,
    appends,
    texts: async () => (await recordsOf(stored)).slice(1).map(({ bytes }) => Buffer.from(bytes).toString()),
  };
}

describe('Sender', () => {
  it('sends together what comes together, and what comes while it sends in the next append', async () => {
    const { log, appends, texts } = countingLog();
    const sender = new Sender(log, 0);
    const names = Array.from({ length: 40 }, (_, n) => `${n}`);
    await Promise.all(
      names.map(async (name, n) => {
        if (n >= 20) for (let turn = 0; turn < 2; turn += 1) await new Promise(setImmediate);
        await sender.send(Buffer.from(name));
      }),
    );
    expect(appends.map(({ length }) => length)).toEqual([20, 20]);
    expect(await texts()).toEqual(names);
  });

  it('keeps an append within its number and its size', async () => {
    const { log, appends } = countingLog();
    const sender = new Sender(log, 0);
    await Promise.all(Array.from({ length: 1_200 }, () => sender.send(Buffer.alloc(10))));
    expect(appends.map(({ length }) => length)).toEqual([500, 500, 200]);
    appends.length = 0;
    await Promise.all(Array.from({ length: 5 }, () => sender.send(Buffer.alloc(400_000))));
    expect(appends.map(({ length }) => length)).toEqual([2, 2, 1]);
    for (const append of appends) {
      expect(append.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(limit.appendBatchBytesMax);
    }
  });

  it('tells those of a failed append, and goes on with the others', async () => {
    const stored = openMemoryEventLog({ now: () => 0 });
    let fails = true;
    const log = wrapLog(stored, {
      async append(partition, records) {
        if (fails) throw new VarveError('STORAGE_FULL', 'no room');
        await stored.append(partition, records);
      },
    });
    const sender = new Sender(log, 0);
    const first = Promise.allSettled(['a', 'b'].map((text) => sender.send(Buffer.from(text))));
    expect((await first).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    await sender.send(Buffer.from('c'));
    expect(await stored.end(0)).toBe(2);
  });
});
