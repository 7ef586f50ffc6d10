import { randomBytes } from 'node:crypto';
import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import { assert, VarveError } from '#core/error';
import type { Event } from '#core/event';
import {
  type AliasKind,
  type AliasRow,
  type BlobRow,
  type CommitRow,
  copyToRead,
  type LayerRow,
  type OutcomeRow,
  type ReflogRow,
  type RepositoryRow,
} from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { RefValue } from '#core/ref';
import type {
  AppliedNotice,
  Checkpoint,
  GraphBatch,
  GraphGeneration,
  GraphReader,
  GraphStore,
  StoredFacts,
} from '#ports/graph-store';
import { AppliedListeners } from '../applied-listeners.js';
import { AppliedChannel } from './applied-channel.js';
import { CommitNames } from './commit-names.js';
import { blobQuestion, layerQuestion } from './find-facts.js';
import { GraphKeys } from './graph-keys.js';
import type { GraphAnswer, GraphQuestion } from './graph-question.js';
import {
  readCopies,
  readLayer,
  readMove,
  readOutcome,
  readRef,
  readRepository,
  readRetired,
  retiredMember,
} from './graph-row-codec.js';
import { GraphServer } from './graph-server.js';
import { checkpointOf, liveFacts } from './live-graph.js';
import { LiveView } from './live-view.js';
import type { RedisAddress } from './redis-connection.js';
import { RedisGeneration } from './redis-generation.js';
import { UnusedGenerations } from './unused-generations.js';

/** A graph in Redis, for a log of so many partitions. */
export interface RedisGraphOptions extends RedisAddress {
  readonly partitionCount: number;
  /** What its keys start with, so that several graphs may share a server: at most 64 of `A-Za-z0-9._:-`. */
  readonly prefix?: string | undefined;
  /** What this process keeps of the commits at most, bytes. */
  readonly cacheBytes?: number | undefined;
}

const cacheBytesDefault = 128 << 20;

/**
 * The graph in Redis, shared by any number of processes. A batch is one script, a compare-and-swap on the offset of its
 * partition, so that projectors that race do no harm; a Redis that lost its tail, or everything, is filled again from
 * where it is. Layout: `GraphKeys`.
 * @throws CONFIG_INVALID when the server or the graph in it is none for this log (the message says what to change), UNAVAILABLE
 * @see event-log 2
 */
export async function openRedisGraphStore(options: RedisGraphOptions): Promise<GraphStore> {
  const { partitionCount, prefix = 'varve:', cacheBytes = cacheBytesDefault } = options;
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) {
    const message = `"${prefix}" cannot begin the keys of a graph: give it at most 64 letters, digits and any of . _ : -`;
    throw new VarveError('CONFIG_INVALID', message, { prefix });
  }
  const keys = new GraphKeys(prefix, partitionCount);
  const server = await GraphServer.open(options, keys);
  const view = new LiveView(server, cacheBytes);
  const listeners = new AppliedListeners();
  try {
    const self = randomBytes(8).toString('hex');
    const channel = await AppliedChannel.open(
      options,
      { keys, self },
      {
        applied: (notice) => listeners.hear(notice),
        promoted: () => view.clear(),
      },
    );
    return new RedisGraphStore({ server, view, listeners, channel });
  } catch (error) {
    server.close();
    throw error;
  }
}

type Page = Parameters<GraphReader['commits']>[1];
type ReflogPage = Parameters<GraphReader['reflog']>[1];

interface Parts {
  readonly server: GraphServer;
  readonly view: LiveView;
  readonly listeners: AppliedListeners;
  readonly channel: AppliedChannel;
}

class RedisGraphStore implements GraphStore {
  readonly partitionCount: number;
  readonly #server: GraphServer;
  readonly #view: LiveView;
  readonly #names: CommitNames;
  readonly #listeners: AppliedListeners;
  readonly #channel: AppliedChannel;
  readonly #unused: UnusedGenerations;
  #building: RedisGeneration | undefined;

  constructor({ server, view, listeners, channel }: Parts) {
    this.partitionCount = server.keys.partitionCount;
    this.#server = server;
    this.#view = view;
    this.#names = new CommitNames(view);
    this.#listeners = listeners;
    this.#channel = channel;
    this.#unused = new UnusedGenerations(server);
    this.#unused.sweep();
  }

  async checkpoint(partition: number): Promise<Checkpoint> {
    this.#checkPartition(partition);
    const { answers } = await this.#view.ask(partition, [['checkpoint']]);
    return checkpointOf(answers);
  }

  async facts(partition: number, events: readonly Event[]): Promise<StoredFacts> {
    this.#checkPartition(partition);
    return liveFacts(this.#view.askInOrder, this.#view.chunks, partition, events);
  }

  async apply(partition: number, batch: GraphBatch): Promise<boolean> {
    this.#checkPartition(partition);
    const generation = await this.#view.generation(partition);
    // Emptied under us: who finds it so makes it anew, and begins with the first record.
    if (generation === null) return this.#beginAnew();
    const notice = this.#channel.noticeOf(partition, batch);
    const applied = await this.#server.apply({ kind: 'live', generation, partition }, batch, notice);
    if (applied === 'gone') return this.#beginAnew();
    if (applied === 'applied') this.#listeners.tell(partition, batch);
    return applied === 'applied';
  }

  async beginGeneration(): Promise<GraphGeneration> {
    assert(!this.#building, 'a generation of the graph is being built already');
    await this.#server.makeGraph();
    const generation = await RedisGeneration.begin(this.#server, {
      promoted: () => {
        this.#building = undefined;
        this.#view.clear();
        this.#unused.sweep();
      },
      discarded: async () => {
        this.#building = undefined;
        await this.#server.giveUpClaim(generation.name);
        this.#unused.sweep();
      },
    });
    this.#building = generation;
    this.#unused.sweep();
    return generation;
  }

  async outcome(partition: number, txid: string): Promise<OutcomeRow | undefined> {
    return (await this.outcomeAt(partition, txid)).row;
  }

  async outcomeAt(partition: number, txid: string) {
    this.#checkPartition(partition);
    // Whatever a caller takes for one: nothing else has an outcome.
    const isOne = /^(?:[0-9a-f]{32}){1,2}$/.test(txid);
    const asked = isOne ? ([['outcome', Buffer.from(txid, 'hex')]] as const) : [];
    const { answers } = await this.#view.ask(partition, [['checkpoint'], ...asked]);
    return { checkpoint: checkpointOf(answers), row: optional(answers[1], readOutcome) };
  }

  async repositories(): Promise<readonly RepositoryRow[]> {
    const partitions = Array.from({ length: this.partitionCount }, (_, partition) => partition);
    const found = await Promise.all(partitions.map((partition) => this.#view.ask(partition, [['hgetall', 'repos']])));
    const rows = found.flatMap(({ answers }) =>
      pairs(answers[0]).map(([name, value]) => readRepository(String(name) as RepositoryName, value)),
    );
    return rows.toSorted((a, b) => (a.repo < b.repo ? -1 : 1));
  }

  async repository(repo: RepositoryName): Promise<RepositoryRow | undefined> {
    return optional(await this.#one(repo, ['hget', 'repos', repo]), (value) => readRepository(repo, value));
  }

  async ref(repo: RepositoryName, ref: RefName): Promise<RefValue | undefined> {
    return optional(await this.#one(repo, ['hget', `refs:${repo}`, ref]), readRef);
  }

  async refs(repo: RepositoryName, upTo?: number) {
    const found = upTo === undefined ? await this.#refsNow(repo) : await this.#refsAt(repo, upTo);
    const rows = found.flatMap(([ref, { commit, version }]) =>
      commit === null ? [] : [{ ref, value: { commit, version } }],
    );
    return rows.toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
  }

  async reflog(repo: RepositoryName, { ref, before, limit }: ReflogPage): Promise<readonly ReflogRow[]> {
    const below = Math.min(before ?? numbersMax, numbersMax);
    return movesIn(repo, await this.#one(repo, ['moves', repo, ref ?? '', below, limit]));
  }

  async reflogAt(repo: RepositoryName, ref: RefName, n: number): Promise<ReflogRow | undefined> {
    return optional(await this.#one(repo, ['move', repo, ref, n]), (value) => readMove(repo, value));
  }

  commit(repo: RepositoryName, id: CommitId): Promise<CommitRow | undefined> {
    return this.#view.commit(repo, id);
  }

  commitAt(repo: RepositoryName, seq: number): Promise<CommitRow | undefined> {
    return this.#view.commitAt(repo, seq);
  }

  commitBytes(repo: RepositoryName, id: CommitId): Promise<Uint8Array | undefined> {
    return this.#view.commitBytes(repo, id);
  }

  async commits(repo: RepositoryName, { before = numbersMax, limit }: Page): Promise<readonly CommitRow[]> {
    const end = Math.min(before, (await this.repository(repo))?.commits ?? 0);
    const rows: CommitRow[] = [];
    for (let seq = end - 1; seq >= Math.max(0, end - limit); seq -= 1) {
      const row = await this.commitAt(repo, seq);
      if (row) rows.push(row);
    }
    return rows;
  }

  commitsByPrefix(repo: RepositoryName, hexPrefix: string, limit: number): Promise<readonly CommitRow[]> {
    return this.#names.commits(repo, hexPrefix, limit);
  }

  aliasesByPrefix(
    repo: RepositoryName,
    hexPrefix: string,
    kinds: readonly AliasKind[],
    limit: number,
  ): Promise<readonly AliasRow[]> {
    return this.#names.aliases(repo, hexPrefix, { kinds, limit });
  }

  async layer(repo: RepositoryName, diffId: DiffId): Promise<LayerRow | undefined> {
    return optional(await this.#one(repo, layerQuestion(diffId)), (value) => readLayer(diffId, value));
  }

  async blob(repo: RepositoryName, digest: Digest): Promise<BlobRow | undefined> {
    const copies = optional(await this.#one(repo, blobQuestion(digest)), (value) => readCopies(digest, value)) ?? [];
    return copyToRead(copies);
  }

  async copies(partition: number, digests: readonly Digest[]): Promise<readonly BlobRow[]> {
    this.#checkPartition(partition);
    const { answers } = await this.#view.ask(partition, digests.map(blobQuestion));
    return digests.flatMap((digest, i) => optional(answers[i], (value) => readCopies(digest, value)) ?? []);
  }

  async retiredCopies(partition: number, { after, limit }: Parameters<GraphReader['retiredCopies']>[1]) {
    this.#checkPartition(partition);
    const from = after ? Buffer.concat([Buffer.from('('), retiredMember(after)]) : '-';
    const { answers } = await this.#view.ask(partition, [['retired', from, limit]]);
    return readRetired((answers[0] ?? []) as readonly (readonly [Buffer, Buffer])[]);
  }

  onApplied(listener: (notice: AppliedNotice) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    // What a process leaves behind by dying others sweep; one that ends takes it along.
    await this.#building?.discard().catch(() => undefined);
    await this.#unused.stop();
    this.#channel.close();
    this.#server.close();
  }

  async #beginAnew(): Promise<false> {
    await this.#server.makeGraph();
    this.#view.clear();
    return false;
  }

  async #refsNow(repo: RepositoryName): Promise<(readonly [RefName, RefValue])[]> {
    const found = pairs(await this.#one(repo, ['hgetall', `refs:${repo}`]));
    return found.map(([ref, value]) => [String(ref) as RefName, readRef(value)]);
  }

  async #refsAt(repo: RepositoryName, version: number): Promise<(readonly [RefName, RefValue])[]> {
    const moves = movesIn(repo, await this.#one(repo, ['refsupto', repo, Math.min(version, numbersMax)]));
    return moves.map(({ ref, to, version: at }) => [ref, { commit: to, version: at }]);
  }

  async #one(repo: RepositoryName, question: GraphQuestion): Promise<GraphAnswer> {
    const { answers } = await this.#view.ask(partitionOf(repo, this.partitionCount), [question]);
    return answers[0] ?? null;
  }

  #checkPartition(partition: number): void {
    const exists = partition >= 0 && partition < this.partitionCount;
    assert(exists, `there is no partition ${partition}: the graph has ${this.partitionCount}`);
  }
}

/** Above every seq and version. */
const numbersMax = 2 ** 32 - 1;

function optional<Row>(answer: GraphAnswer | undefined, read: (value: Buffer) => Row): Row | undefined {
  return answer === null || answer === undefined ? undefined : read(answer as Buffer);
}

/** Fields and values of a hash. */
function pairs(answer: GraphAnswer | undefined): [Buffer, Buffer][] {
  const flat = (answer ?? []) as readonly Buffer[];
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as Buffer, flat[2 * i + 1] as Buffer]);
}

function movesIn(repo: RepositoryName, answer: GraphAnswer): ReflogRow[] {
  return ((answer ?? []) as readonly Buffer[]).map((value) => readMove(repo, value));
}
