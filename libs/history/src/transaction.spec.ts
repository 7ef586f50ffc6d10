import { genesis } from '#core/commit';
import { VarveError } from '#core/error';
import type { EventLog } from '#ports/event-log';
import { app, commitOn, main, move } from '../../../test/fixture/event-builder.js';
import { context, runHistory } from '../../../test/fixture/running-history.js';
import { wrapLog } from '../../../test/fixture/wrapped-stores.js';
import { transactionOf } from './transaction-id.js';
import { cancelTransaction, lookUpTransaction } from './transaction.js';

const next = commitOn([genesis], 'next');
const draft = {
  type: 'ref.update.v1',
  repo: app,
  operation: 'commit',
  blobs: [],
  commits: [next],
  updates: [move(main, { commit: genesis.id, version: 1 }, next.id)],
} as const;
const lost = () => new VarveError('UNAVAILABLE', 'no answer');

describe('a transaction', () => {
  it('is looked up by its id', async () => {
    const history = runHistory();
    await history.create();
    const key = { ...context, idempotencyKey: 'key' };
    const { position } = await history.submitter.submit(draft, key);
    const row = await lookUpTransaction(history.graph, { txid: transactionOf(app, 'key') });
    expect(row).toMatchObject({ offset: position.offset, outcome: { type: 'accepted' } });
    const unknown = lookUpTransaction(history.graph, { txid: 'f'.repeat(64) });
    await expect(unknown).rejects.toMatchObject({ code: 'TRANSACTION_UNKNOWN' });
    await history.close();
  });

  it('that nobody knows about is ended by cancelling it: a copy on its way does nothing', async () => {
    const late: Uint8Array[] = [];
    let holds = false;
    const wrap = (log: EventLog) =>
      wrapLog(log, {
        async append(partition, records) {
          if (!holds) return log.append(partition, records);
          late.push(...records);
          throw new VarveError('UNAVAILABLE', 'no answer');
        },
      });
    const history = runHistory({ wrap, outcomeWaitMs: 100 });
    await history.create();
    holds = true;
    const failure = await history.submitter.submit(draft, context).catch((error: unknown) => error as VarveError);
    expect(failure).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    const txid = String((failure as VarveError).detail['txid']);
    holds = false;

    const row = await cancelTransaction(history, { repo: app, txid }, context);
    expect(row.outcome).toMatchObject({ type: 'rejected', code: 'TRANSACTION_CANCELLED' });
    await history.log.append(0, late);
    await history.projector.caughtUp();
    expect(await history.graph.ref(app, main)).toMatchObject({ commit: genesis.id });
    expect(await lookUpTransaction(history.graph, { txid })).toEqual(row);
    await history.close();
  });

  it('that is not ended in time is named, and not what should have ended it', async () => {
    let hangs = false;
    const wrap = (log: EventLog) =>
      wrapLog(log, {
        append: (partition, records) => (hangs ? Promise.reject(lost()) : log.append(partition, records)),
      });
    const history = runHistory({ wrap, outcomeWaitMs: 100 });
    await history.create();
    hangs = true;
    const name = { repo: app, txid: 'f'.repeat(32), gcEpoch: 0 };
    await expect(cancelTransaction(history, name, context)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      detail: { txid: name.txid, repository: app, gcEpoch: 0 },
    });
    await history.close();
  });

  it('that took effect keeps its outcome when it is cancelled', async () => {
    const history = runHistory();
    await history.create();
    await history.submitter.submit(draft, { ...context, idempotencyKey: 'key' });
    const txid = transactionOf(app, 'key');
    const row = await cancelTransaction(history, { repo: app, txid }, context);
    expect(row.outcome.type).toBe('accepted');
    await history.close();
  });
});
