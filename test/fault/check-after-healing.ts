import { openKafkaEventLog } from '#adapters/kafka/kafka-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import type { CommitId } from '#core/commit';
import type { ReflogRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { GraphStore } from '#ports/graph-store';
import { rebuild } from '#projection/rebuild';
import { ask, until } from '../cluster/gateway-client.js';
import { varveAt } from '../journey/harness/varve.js';
import { law, same, show } from '../simulation/law.js';
import { isLinearizable } from '../simulation/linearizability.js';
import type { FaultWorld } from './fault-world.js';
import { readHistory, type RecordedOperation, seenOf } from './history.js';
import type { Load } from './load.js';
import { perform } from './ref-client.js';

/** What was seen, for the table of faults. */
export interface Checked {
  readonly operations: number;
  readonly unknown: number;
  readonly records: number;
}

/** What is asked. */
export type Doors = Pick<FaultWorld, 'gateways'>;

/**
 * Everything that must hold of a load when its faults are over, from the history that was recorded, the log as it
 * stands in Kafka, a straight replay of it, and what both gateways say. @throws BrokenLaw
 */
export async function checkAfterHealing(world: FaultWorld, load: Load): Promise<Checked> {
  const history = readHistory(load.history);
  await checkUnknown(world, load);
  await sameState(world);
  const replayed = openMemoryGraphStore(world.partitions);
  const records = await replay(world, replayed);
  const moves = (await Promise.all(load.repos.map((repo) => reflogOf(replayed, repo)))).flat();
  checkMoves(history, moves);
  await checkReads(world, load, replayed);
  checkRegisters(history, moves);
  await checkClosure(world);
  return { operations: history.length, unknown: history.filter(({ end }) => end.type === 'info').length, records };
}

/** I5: whoever asks about a write whose end nobody was told, and whoever sends it again, is told the same. */
export async function checkUnknown(world: Doors, load: Load): Promise<void> {
  for (const [name, { end, txids, ...operation }] of load.told) {
    const isOpen = end.type === 'info' && operation.call.type !== 'read';
    const ends = isOpen ? await sendAgain(world, { ...operation, name }) : [];
    law(
      'I5',
      ends.every((each) => same(each, ends[0]) && each.type !== 'info'),
      `${name} ended as ${show(ends)}`,
    );
    for (const txid of new Set(txids)) {
      const rows = await Promise.all(world.gateways.map((url) => ask(url, `/transactions/${txid}`)));
      const told = rows.map(({ status, json }) => ({ status, json }));
      law(
        'I5',
        told.every((each) => same(each, told[0])),
        `transaction ${txid} of ${name} is ${show(told)}`,
      );
    }
  }
}

async function sendAgain({ gateways }: Doors, operation: Parameters<typeof perform>[0]) {
  const ends = [];
  for (const url of gateways) {
    const until60 = AbortSignal.timeout(60_000);
    ends.push((await perform(operation, () => [url], { minPosition: null, until: until60, first: 0 })).end);
  }
  return ends;
}

/** I1: both gateways tell the same state, and it is not one that is still growing. */
async function sameState(world: FaultWorld): Promise<void> {
  let last: unknown;
  await until('both gateways tell the same state', async () => {
    const states = await Promise.all(world.gateways.map(async (url) => (await ask(url, '/state')).json));
    const settled = same(states[0], states[1]) && same(states[0], last);
    last = states[0];
    return settled;
  });
}

/** I1: record by record, from nothing, gives what is in Redis. Returns how many records there are. */
async function replay(world: FaultWorld, into: GraphStore): Promise<number> {
  const { kafka, redis, topic, partitions } = world;
  const log = await openKafkaEventLog({ brokers: kafka.brokers, topic, partitions });
  const live = await openRedisGraphStore({ ...redis.address, prefix: `${topic}:`, partitionCount: partitions });
  try {
    const { records } = await rebuild({ log, graph: into });
    for (let partition = 0; partition < partitions; partition += 1) {
      const [is, wanted] = [await live.checkpoint(partition), await into.checkpoint(partition)];
      law('I1', same(is, wanted), `partition ${partition} is ${show(is)}, a replay gives ${show(wanted)}`);
    }
    return records;
  } finally {
    await live.close();
    await log.close();
  }
}

export async function reflogOf(graph: GraphStore, repo: string): Promise<ReflogRow[]> {
  const rows: ReflogRow[] = [];
  for (let before = Number.MAX_SAFE_INTEGER; ; before = rows.at(-1)?.version as number) {
    const page = await graph.reflog(repo as RepositoryName, { limit: 1_000, before });
    rows.push(...page);
    if (page.length < 1_000) return rows;
  }
}

/** I3, I4, I6: what was told, and what was done. */
export function checkMoves(history: readonly RecordedOperation[], moves: readonly ReflogRow[]): void {
  for (const { name, repo, ref, call, end } of history) {
    if (call.type === 'read') continue;
    const done = moves.filter((row) => row.reason === name && row.repo === repo);
    law('I6', done.length <= 1, `${name} took effect ${done.length} times: ${show(done)}`);
    if (end.type === 'fail') law('I4', done.length === 0, `${name} was told ${end.code}, and did ${show(done)}`);
    if (end.type !== 'ok') continue;
    const [move] = done;
    const isKept = move?.ref === ref && same({ commit: move.to, version: move.version }, end.value);
    law('I3', isKept, `${name} was told ${show(end)}, and the reflog has ${show(done)}`);
  }
}

/** I8: read at its position, every ref is through every gateway where the replay has it. */
export async function checkReads(world: Doors, load: Load, replayed: GraphStore): Promise<void> {
  for (const repo of load.repos) {
    const wanted = (await replayed.refs(repo as RepositoryName)).flatMap(({ ref, value }) =>
      value.commit === null ? [] : [{ ref, commit: value.commit, version: value.version }],
    );
    for (const url of world.gateways) {
      const { json } = await ask(url, `/repos/${encodeURIComponent(repo)}/refs`, {
        headers: { 'varve-min-position': load.positionOf(repo) },
      });
      const told = (json['refs'] as typeof wanted).map(({ ref, commit, version }) => ({ ref, commit, version }));
      law('I8', same(told, wanted), `${url} tells ${show(told)} of ${repo}, a replay gives ${show(wanted)}`);
    }
  }
}

/** I2: one register for each ref. */
export function checkRegisters(history: readonly RecordedOperation[], moves: readonly ReflogRow[]): void {
  for (const place of new Set(history.map(({ repo, ref }) => `${repo} ${ref}`))) {
    const operations = history.filter(({ repo, ref }) => `${repo} ${ref}` === place);
    const commitOf = (name: string): CommitId | null | undefined => moves.find(({ reason }) => reason === name)?.to;
    const begin = operations.find(({ name, end }) => name.endsWith(':begin') && end.type === 'ok')?.end;
    const initial = begin?.type === 'ok' ? begin.value : { commit: null, version: 0 };
    law('I2', isLinearizable(seenOf(operations, commitOf), initial), `${place} is no register`);
  }
}

/** I7 and I11: what commits name is there, whole, and hashes right. What nobody names may lie about: a notice, no finding. */
export async function checkClosure(world: Doors): Promise<void> {
  const { code, stdout, stderr } = await varveAt(world.gateways[0] as string)('fsck');
  law('I7', code === 0, `varve fsck ended with ${code}: ${stdout}${stderr}`);
}
