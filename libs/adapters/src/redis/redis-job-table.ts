import type { Redis } from 'ioredis';
import type { Digest } from '#core/digest';
import type { Job, JobId, JobState, Tarball, TarballKey } from '#core/job';
import { JobListeners, type JobSwap, type JobTable, type KeptTarball, type Swapped } from '../job-table.js';
import { discardScript, dueScript, pinScript, swapScript, takeScript, unpublishScript } from './job-scripts.js';
import { redisError } from './redis-error.js';

interface JobScripts {
  varveJobsDue(...args: (string | number)[]): Promise<string[]>;
  varveJobSwap(...args: (string | number)[]): Promise<Swapped>;
  varveTarballPin(...args: (string | number)[]): Promise<number>;
  varveTarballUnpublish(...args: (string | number)[]): Promise<number>;
  varveDiscard(...args: (string | number)[]): Promise<number>;
  varveTakeDue(...args: (string | number)[]): Promise<string[]>;
}

/** A connection that knows the scripts. */
export type JobClient = Redis & JobScripts;

export function defineJobScripts(client: Redis): JobClient {
  client.defineCommand('varveJobsDue', { lua: dueScript, numberOfKeys: 1 });
  client.defineCommand('varveJobSwap', { lua: swapScript, numberOfKeys: 11 });
  client.defineCommand('varveTarballPin', { lua: pinScript, numberOfKeys: 1 });
  client.defineCommand('varveTarballUnpublish', { lua: unpublishScript, numberOfKeys: 5 });
  client.defineCommand('varveDiscard', { lua: discardScript, numberOfKeys: 3 });
  client.defineCommand('varveTakeDue', { lua: takeScript, numberOfKeys: 2 });
  return client as JobClient;
}

/**
 * The job table as keys of one slot; all of them start alike.
 *
 * | key | type | content |
 * | --- | --- | --- |
 * | `job:ID` | string | the job as JSON |
 * | `due`, `changed`, `changed:STATE` | zset | id by time |
 * | `tarball:NAME` | hash | text, pinned |
 * | `used`, `bytes` | zset, string | name by last use, sum of their sizes |
 * | `keys` | hash | key → name, of what is published |
 * | `discards`, `taken` | zset, set | key by when it is due, those that are being deleted |
 */
export class RedisJobTable implements JobTable {
  readonly #client: JobClient;
  readonly #notices: Redis;
  readonly #start: string;
  readonly #place: string;
  readonly #opened: AsyncDisposableStack;
  readonly #listeners = new JobListeners();

  /** `opened` is closed with it: the two connections. */
  constructor(options: {
    readonly client: JobClient;
    readonly notices: Redis;
    readonly start: string;
    readonly place: string;
    readonly opened: AsyncDisposableStack;
  }) {
    this.#client = options.client;
    this.#notices = options.notices;
    this.#start = options.start;
    this.#place = options.place;
    this.#opened = options.opened;
  }

  async listen(): Promise<void> {
    this.#notices.on('message', (_: string, id: string) => this.#listeners.tell(id as JobId));
    await this.#call(() => this.#notices.subscribe(this.#key('notices')));
  }

  async read(id: JobId): Promise<Job | undefined> {
    const [job] = await this.#jobs([id]);
    return job;
  }

  async due(now: number, limit: number): Promise<readonly Job[]> {
    const texts = await this.#call(() => this.#client.varveJobsDue(this.#key('due'), now, limit, this.#key('job:')));
    return texts.map((text) => JSON.parse(text) as Job);
  }

  async list({ state, after, limit }: Parameters<JobTable['list']>[0]): Promise<readonly Job[]> {
    const key = this.#key(state === undefined ? 'changed' : `changed:${state}`);
    const from = after ? after.changedAt : '+inf';
    const ids = await this.#page(
      (at, count) => this.#client.zrevrangebyscore(key, from, '-inf', 'WITHSCORES', 'LIMIT', at, count),
      { limit, isBehind: ([id, score]) => after === undefined || score < after.changedAt || id < after.id },
    );
    return this.#jobs(ids.map(([id]) => id));
  }

  async unchanged(states: readonly JobState[], before: number, limit: number): Promise<readonly Job[]> {
    const found: Job[] = [];
    for (const state of states) {
      const key = this.#key(`changed:${state}`);
      const ids = await this.#call(() => this.#client.zrangebyscore(key, '-inf', `(${before}`, 'LIMIT', 0, limit));
      found.push(...(await this.#jobs(ids)));
    }
    return found.slice(0, limit);
  }

  async swap({ before, after, publish, pinnedUntil = 0 }: JobSwap): Promise<Swapped> {
    const { id } = (after ?? before) as Job;
    const keys = [
      `job:${id}`,
      'due',
      'changed',
      `changed:${before?.state ?? 'none'}`,
      `changed:${after?.state ?? 'none'}`,
      `tarball:${publish?.name ?? ''}`,
      'used',
      'bytes',
      'keys',
      'discards',
      'taken',
    ];
    const job = [id, textOf(before), textOf(after), after?.dueAt ?? '', after?.changedAt ?? '', this.#key('notices')];
    const tarball = publish
      ? [JSON.stringify(publish), publish.name, memberOf(publish), publish.sizeBytes, publish.createdAt, pinnedUntil]
      : ['', '', '', 0, 0, 0];
    return this.#call(() => this.#client.varveJobSwap(...this.#keys(keys), ...job, ...tarball));
  }

  onChanged(listener: (id: JobId) => void): () => void {
    return this.#listeners.add(listener);
  }

  async tarball(name: string): Promise<KeptTarball | undefined> {
    const [tarball] = await this.#tarballs([name]);
    return tarball;
  }

  async pin(name: string, pinnedUntil: number): Promise<boolean> {
    return (await this.#call(() => this.#client.varveTarballPin(this.#key(`tarball:${name}`), pinnedUntil))) === 1;
  }

  async touch(name: string, usedAt: number): Promise<void> {
    // XX: what was evicted meanwhile must not come back as a name without a tarball.
    await this.#call(() => this.#client.zadd(this.#key('used'), 'XX', 'GT', usedAt, name));
  }

  async unused(after: Parameters<JobTable['unused']>[0], limit: number): Promise<readonly KeptTarball[]> {
    const key = this.#key('used');
    const from = after ? after.usedAt : '-inf';
    const names = await this.#page(
      (at, count) => this.#client.zrangebyscore(key, from, '+inf', 'WITHSCORES', 'LIMIT', at, count),
      { limit, isBehind: ([name, score]) => after === undefined || score > after.usedAt || name > after.tarball.name },
    );
    return this.#tarballs(names.map(([name]) => name));
  }

  async tarballBytes(): Promise<number> {
    return Number((await this.#call(() => this.#client.get(this.#key('bytes')))) ?? 0);
  }

  async unpublish(tarball: Tarball, now: number, dueAt: number): Promise<boolean> {
    const { name, sizeBytes } = tarball;
    const keys = this.#keys([`tarball:${name}`, 'used', 'bytes', 'keys', 'discards']);
    const words = [name, memberOf(tarball), sizeBytes, now, dueAt];
    return (await this.#call(() => this.#client.varveTarballUnpublish(...keys, ...words))) === 1;
  }

  async discard(key: TarballKey, dueAt: number): Promise<void> {
    const keys = this.#keys(['discards', 'taken', 'keys']);
    await this.#call(() => this.#client.varveDiscard(...keys, memberOf(key), dueAt));
  }

  async isDiscarded(key: TarballKey): Promise<boolean> {
    return (await this.#call(() => this.#client.zscore(this.#key('discards'), memberOf(key)))) !== null;
  }

  async takeDue(now: number, limit: number): Promise<readonly TarballKey[]> {
    const keys = this.#keys(['discards', 'taken']);
    return (await this.#call(() => this.#client.varveTakeDue(...keys, now, limit))).map(keyOf);
  }

  async forget(key: TarballKey): Promise<void> {
    const member = memberOf(key);
    await this.#call(() =>
      this.#client.multi().zrem(this.#key('discards'), member).srem(this.#key('taken'), member).exec(),
    );
  }

  async close(): Promise<void> {
    await this.#opened.disposeAsync();
  }

  async #jobs(ids: readonly string[]): Promise<Job[]> {
    if (ids.length === 0) return [];
    const texts = await this.#call(() => this.#client.mget(ids.map((id) => this.#key(`job:${id}`))));
    return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as Job]));
  }

  async #tarballs(names: readonly string[]): Promise<KeptTarball[]> {
    const asked = names.map(async (name) => {
      const [text, pinned] = await this.#call(() => this.#client.hmget(this.#key(`tarball:${name}`), 'text', 'pinned'));
      const usedAt = await this.#call(() => this.#client.zscore(this.#key('used'), name));
      if (!text || usedAt === null) return [];
      return [{ tarball: JSON.parse(text) as Tarball, usedAt: Number(usedAt), pinnedUntil: Number(pinned) }];
    });
    return (await Promise.all(asked)).flat();
  }

  /** Members behind a place: those of its own score come first, and some of them stand before it. */
  async #page(
    read: (at: number, count: number) => Promise<string[]>,
    { limit, isBehind }: { readonly limit: number; readonly isBehind: (entry: readonly [string, number]) => boolean },
  ): Promise<(readonly [string, number])[]> {
    const found: (readonly [string, number])[] = [];
    for (let at = 0; found.length < limit; at += limit) {
      const words = await this.#call(() => read(at, limit));
      const entries = Array.from(
        { length: words.length / 2 },
        (_, n) => [words[2 * n]!, Number(words[2 * n + 1])] as const,
      );
      found.push(...entries.filter(isBehind));
      if (entries.length < limit) break;
    }
    return found.slice(0, limit);
  }

  #key(name: string): string {
    return `${this.#start}${name}`;
  }

  #keys(names: readonly string[]): string[] {
    return names.map((name) => this.#key(name));
  }

  async #call<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    try {
      return await call();
    } catch (error) {
      throw redisError(error, this.#place);
    }
  }
}

function textOf(job: Job | undefined): string {
  return job === undefined ? '' : JSON.stringify(job);
}

function memberOf({ key, version }: TarballKey): string {
  return `${version}/${key}`;
}

function keyOf(member: string): TarballKey {
  const [version, key] = member.split('/');
  return { version: Number(version), key: key as Digest };
}
