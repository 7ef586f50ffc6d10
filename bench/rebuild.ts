import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { type CommitId, encodeCommit, newCommit } from '#core/commit';
import { digestOf, type DiffId } from '#core/digest';
import type { Event } from '#core/event';
import { encodeEvent } from '#core/event-codec';
import { limit } from '#core/limit';
import { branchRef, parseRepositoryName } from '#core/name';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import { rebuild } from '#projection/rebuild';
import { absent, atLeastSo, type Found } from './aim.js';
import { withRedis } from './own-redis.js';

const repo = parseRepositoryName('bench');
const main = branchRef('main');

const least = 25_000;

/**
 * How many records a second does a graph take when it is made again from the log? Each record is one commit with one
 * layer on `main`, about 1.5 KB. The graph starts empty, as after its loss. Takes how many records.
 */
export async function benchRebuild(given = '50000'): Promise<Found> {
  const count = Number(given);
  const folder = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  try {
    const log = openMemoryEventLog({ now: Date.now });
    await fill(log, count);
    const sqlite = openSqliteGraphStore(join(folder, 'graph.db'));
    const perSecond = new Map([
      ['memory', await measure(log, openMemoryGraphStore(), count)],
      ['SQLite', await measure(log, sqlite, count)],
    ]);
    const redis = await withRedis(async (address) =>
      measure(log, await openRedisGraphStore({ ...address, partitionCount: 1 }), count),
    );
    const what = 'rebuild into Redis';
    const aims = [atLeastSo('rebuild into SQLite', perSecond.get('SQLite') ?? 0, least, 'records/s')];
    if (typeof redis === 'string') aims.push(absent(what, 'Redis', redis));
    else aims.push(atLeastSo(what, perSecond.set('Redis', redis).get('Redis') ?? 0, least, 'records/s'));
    const rows = [...perSecond].map(([name, rate]) => `| ${name} | ${rate.toFixed(0)} | ${(1e6 / rate).toFixed(1)} |`);
    const head = ['| graph | records/s | µs a record |', '| --- | --: | --: |'];
    return { aims, text: [`### Rebuild of ${count} records`, '', ...head, ...rows].join('\n') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Records a second. */
async function measure(log: EventLog, graph: GraphStore, count: number): Promise<number> {
  const start = performance.now();
  const { records } = await rebuild({ log, graph });
  const seconds = (performance.now() - start) / 1e3;
  const tip = await graph.ref(repo, main);
  await graph.close();
  if (tip?.version !== count)
    throw new Error(`main is at version ${tip?.version}, not ${count}: records were rejected`);
  return records / seconds;
}

export async function fill(log: EventLog, records: number): Promise<void> {
  let batch: Uint8Array[] = [];
  let parent: CommitId | null = null;
  for (let n = 0; n < records; n += 1) {
    const { event, tip } = commitOf(n, parent);
    parent = tip;
    batch.push(encodeEvent(event, { source: `varve/${log.id}`, time: n, salt: Buffer.alloc(16, n) }));
    if (batch.length < limit.appendBatchRecordsMax && n < records - 1) continue;
    await log.append(0, batch);
    batch = [];
  }
}

function commitOf(n: number, parent: CommitId | null): { readonly event: Event; readonly tip: CommitId } {
  const layer = digestOf(`layer ${n}`) as DiffId;
  const message = `step ${n}: ${'what was done, and why it was worth a layer '.repeat(5)}`;
  const commit = encodeCommit(newCommit({ parents: parent ? [parent] : [], layers: [layer], message }));
  const proposal = {
    txid: digestOf(`tx ${n}`).slice('sha256:'.length, 'sha256:'.length + 32),
    repo,
    actor: { name: 'bench', verified: false },
    request: null,
    gcEpoch: 0,
    operation: 'commit',
    reason: 'bench',
    commits: [commit.bytes],
    blobs: [
      {
        digest: layer,
        size: 1024,
        incarnation: digestOf(`copy ${n}`).slice('sha256:'.length, 'sha256:'.length + 32),
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        layer: { diffId: layer, tarBytes: 1024 },
      },
    ],
    updates: [{ ref: main, expect: { commit: parent, version: n }, to: commit.id, mode: 'ff' }],
  } as const;
  const event: Event = parent
    ? { type: 'ref.update.v1', ...proposal }
    : { type: 'repo.create.v1', defaultBranch: main, ...proposal };
  return { event, tip: commit.id };
}
