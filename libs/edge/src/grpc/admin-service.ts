import type { OutcomeRow } from '#core/graph-row';
import { AdminServiceService, type AdminServiceServer, type FsckResponse } from '#proto/gen/varve/v1/admin';
import { collectGarbage } from '../command/collect-garbage.js';
import { endTransaction, findTransaction } from '../command/end-transaction.js';
import { about, rebuildGraph, serverState } from '../command/server-state.js';
import type { Engine } from '../engine.js';
import { fsck, type FsckLine } from '../fsck.js';
import { renderTransaction } from '../rest/answer.js';
import { absent } from './absent.js';
import { writeContextOf } from './call.js';
import type { Calls } from './calls.js';
import { outcomeMessage } from './outcome-message.js';
import type { Served } from './served.js';

export function adminService(engine: Engine, calls: Calls): Served {
  const server: AdminServiceServer = {
    about: calls.ask(() => about(engine)),
    getState: calls.ask(async () => absent(await serverState(engine))),
    getTransaction: calls.ask(async (asked) => transactionMessage(engine, await findTransaction(engine, asked))),
    cancelTransaction: calls.write(async (asked, call) => {
      const context = writeContextOf(call, { reason: '', asked });
      return transactionMessage(engine, await endTransaction(engine, asked, context));
    }),
    rebuild: calls.write(async () => absent(await rebuildGraph(engine))),
    gc: calls.write(async (wish) => absent(await collectGarbage(engine, wish))),
    fsck: calls.stream(async function* ({ quick }) {
      for await (const line of fsck(engine, { quick })) yield lineMessage(line);
    }),
  };
  return { definition: AdminServiceService, server };
}

function transactionMessage(engine: Engine, row: OutcomeRow) {
  const { txid, repo, position, time } = absent(renderTransaction(engine, row));
  return { txid, repo, position, time, outcome: outcomeMessage(row.outcome) };
}

function lineMessage(line: FsckLine): FsckResponse {
  if (line.type === 'finding') return { line: { $case: 'finding', value: line } };
  const checked = { ...line.checked };
  if (line.type === 'progress') return { line: { $case: 'progress', value: { checked } } };
  return { line: { $case: 'summary', value: { ...line, checked, positions: [...line.positions] } } };
}
