import { join } from 'node:path';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { rebuild } from '#projection/rebuild';
import { type Aim, atMost, type Found } from './aim.js';
import { inScratch } from './history.js';
import { fill } from './rebuild.js';
import { type Server, withServer } from './server.js';

const rounds = 4;
const perRound = 100;

const questions: Readonly<Record<string, string>> = {
  refs: 'refs',
  'what a ref means': 'resolve?rev=main',
  'log page of 50': 'commits?rev=main&limit=50',
  'reflog page of 50': 'reflog?limit=50',
};

/**
 * What the past costs beside the present: the same questions over REST with `?at=` a position, each one that nobody has
 * asked about before, in processor time of the server, in turn. Takes how many commits; each moves the branch.
 */
export async function benchPast(given = '10000'): Promise<Found> {
  const count = Number(given);
  return inScratch(async (folder) => {
    const id = await fillFolder(folder, count);
    return withServer(folder, async (server) => {
      const key = await fetch(`${server.url}/api/v1/audit/checkpoint`);
      await key.arrayBuffer();
      const aims: Aim[] = [];
      const rows: string[] = [];
      for (const [name, path] of Object.entries(questions)) {
        const { nowMs, thenMs } = await compare(server, path, (i) => `${id}.0.${2 + ((i * 7_919) % (count - 2))}`);
        aims.push(atMost(`${name}, as of a moment in ${count} commits`, thenMs / nowMs, 2, '× now'));
        rows.push(`| ${name} | ${nowMs.toFixed(2)} | ${thenMs.toFixed(2)} | ${(thenMs / nowMs).toFixed(2)} |`);
      }
      const head = ['| question | ms now | ms as of then | |', '| --- | --: | --: | --: |'];
      return { aims, text: [`### The past of ${count} commits, over REST`, '', ...head, ...rows].join('\n') };
    });
  });
}

/** A log, and its graph, so that the server has only to open them. */
async function fillFolder(folder: string, count: number): Promise<string> {
  const log = openSqliteEventLog(join(folder, 'log.db'), { now: Date.now });
  const graph = openSqliteGraphStore(join(folder, 'graph.db'));
  try {
    await fill(log, count);
    await rebuild({ log, graph });
    return log.id;
  } finally {
    await graph.close();
    await log.close();
  }
}

/** Milliseconds of the server's processor time a question. */
async function compare(server: Server, path: string, momentOf: (i: number) => string) {
  const url = `${server.url}/api/v1/repos/bench/${path}`;
  const ask = async (moment: string | undefined): Promise<void> => {
    const at = moment === undefined ? '' : `${path.includes('?') ? '&' : '?'}at=${moment}`;
    const answer = await fetch(url + at);
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${url}${at} was answered ${answer.status}`);
  };
  const cpuOf = async (moment: (i: number) => string | undefined): Promise<number> => {
    const before = server.cpuMs();
    for (let i = 0; i < perRound; i += 1) await ask(moment(i));
    return server.cpuMs() - before;
  };
  let [nowMs, thenMs] = [0, 0];
  for (let round = -1; round < rounds; round += 1) {
    const now = await cpuOf(() => undefined);
    const then = await cpuOf((i) => momentOf((round + 1) * perRound + i));
    if (round < 0) continue;
    nowMs += now / (rounds * perRound);
    thenMs += then / (rounds * perRound);
  }
  return { nowMs, thenMs };
}
