import { digestOf, emptyChainId } from '#core/digest';
import { genesis } from '#core/commit';
import type { Job, JobState, RootfsWish, Tarball } from '#core/job';
import { jobIdOf, jobRule } from '#core/job-step';
import type { RepositoryName } from '#core/name';
import type { Clock } from '#ports/clock';
import type { Held, JobQueue } from '#ports/job-queue';
import type { Case } from './describe-each.js';

/** Time and chance in the hand of the test: every adapter of the suite is opened with these. */
export class JobWorld implements Clock {
  ms = 1_800_000_000_000;
  jitter = 0.5;
  readonly random = (): number => this.jitter;
  now(): number {
    return this.ms;
  }
}

export const world = new JobWorld();
const minute = 60_000;

/** What every JobQueue keeps true. A new adapter is done when this passes. */
export const jobQueueContract: readonly Case<JobQueue>[] = [
  {
    title: 'has one job for equal wishes, also when they come at the same time',
    async run(queue) {
      const all = await Promise.all(Array.from({ length: 8 }, () => queue.ensure(wish('a'))));
      const ids = all.map((ensured) => ensured.type === 'job' && ensured.job.id);
      expect(new Set(ids)).toEqual(new Set([jobIdOf('a')]));
      expect(await queue.list({ limit: 10 })).toHaveLength(1);
      await queue.ensure(wish('b'));
      expect((await queue.list({ limit: 10 })).map(({ wish: { name } }) => name).toSorted()).toEqual(['a', 'b']);
    },
  },
  {
    title: 'gives each job to one worker, the one that waits longest first',
    async run(queue) {
      for (const name of ['a', 'b', 'c']) {
        await queue.ensure(wish(name));
        world.ms += 10;
      }
      const first = await claimed(queue);
      expect(first).toMatchObject({ state: 'running', worker: 'w', fence: 1, wish: { name: 'a' } });
      const others = await Promise.all([1, 2, 3, 4].map((n) => queue.claim(`w${n}`)));
      const names = others.flatMap((job) => job?.wish.name ?? []);
      expect(names.toSorted()).toEqual(['b', 'c']);
      expect(await queue.claim('w')).toBeUndefined();
    },
  },
  {
    title: 'keeps the lease of a worker that renews, and gives the job of a silent one away, under a new fence',
    async run(queue) {
      await queue.ensure(wish('a'));
      const held = await claimed(queue);
      for (let n = 0; n < 5; n += 1) {
        world.ms += jobRule.leaseMs - 1;
        expect(await queue.claim('other')).toBeUndefined();
        expect(await queue.renew(held)).toBe('held');
      }
      world.ms += jobRule.leaseMs;
      const taken = await claimed(queue, 'other');
      expect(taken).toMatchObject({ fence: held.fence + 1, worker: 'other', lostLeases: 1, attempts: 0 });
      expect(await queue.renew(held)).toBe('lost');
      expect(await queue.progress(held, { phase: 'writing', doneBytes: 1, totalBytes: 2 })).toBe('lost');
      expect(await queue.fail(held, { code: 'UNAVAILABLE', message: 'late' }, true)).toBe('lost');
      expect(await queue.release(held)).toBe('lost');
      expect(await queue.get(held.id)).toMatchObject({ state: 'running', worker: 'other', progress: null });
    },
  },
  {
    title: 'gives a job that is due to one of many who ask at the same time, and counts its lost lease once',
    async run(queue) {
      for (let round = 1; round <= 20; round += 1) {
        await queue.ensure(wish(`a${round}`));
        await claimed(queue, 'silent');
        world.ms += jobRule.leaseMs;
        const all = await Promise.all(Array.from({ length: 8 }, (_, n) => queue.claim(`w${n}`)));
        expect(all.filter(Boolean)).toHaveLength(1);
        expect(await queue.get(jobIdOf(`a${round}`))).toMatchObject({ state: 'running', lostLeases: 1, fence: 2 });
        await queue.cancel(jobIdOf(`a${round}`));
        await queue.release(all.find(Boolean) as Job);
      }
    },
  },
  {
    title: 'sets a job aside that cost three workers, and runs it no more until somebody retries it',
    async run(queue) {
      await queue.ensure(wish('a'));
      for (let n = 0; n < jobRule.lostLeasesMax; n += 1) {
        await claimed(queue, `w${n}`);
        world.ms += jobRule.leaseMs;
      }
      expect(await queue.claim('w')).toBeUndefined();
      const job = (await queue.get(jobIdOf('a'))) as Job;
      expect(job).toMatchObject({ state: 'dead', lostLeases: 3, lastFailure: { code: 'INTERNAL' } });
      expect(job.lastFailure?.message).toContain('w2');
      world.ms += 60 * minute;
      expect(await queue.ensure(wish('a'))).toMatchObject({ type: 'job', job: { state: 'dead' } });
      expect(await queue.claim('w')).toBeUndefined();
      expect(await queue.retry(job.id)).toMatchObject({
        state: 'waiting',
        lostLeases: 0,
        lastFailure: job.lastFailure,
      });
      expect((await claimed(queue)).fence).toBe(4);
    },
  },
  {
    title: 'waits longer after each error that may pass, with jitter, and sets the job aside after six tries',
    async run(queue) {
      await queue.ensure(wish('a'));
      const waits = [];
      for (let n = 0; n < jobRule.attemptsMax - 1; n += 1) {
        const held = await claimed(queue);
        expect(await queue.fail(held, { code: 'UNAVAILABLE', message: `try ${n}` }, false)).toBe('held');
        const { dueAt } = (await queue.get(held.id)) as Job & { dueAt: number };
        waits.push(dueAt - world.ms);
        world.ms = dueAt - 1;
        expect(await queue.claim('w')).toBeUndefined();
        world.ms = dueAt;
      }
      expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
      await queue.fail(await claimed(queue), { code: 'UNAVAILABLE', message: 'the last one' }, false);
      expect(await queue.get(jobIdOf('a'))).toMatchObject({
        state: 'dead',
        attempts: 6,
        lastFailure: { code: 'UNAVAILABLE', message: 'the last one' },
      });
    },
  },
  {
    title: 'answers a wish for what failed for good with that failure for a minute, and then tries again',
    async run(queue) {
      await queue.ensure(wish('a'));
      await queue.fail(await claimed(queue), { code: 'CORRUPT', message: 'a layer is damaged' }, true);
      world.ms += jobRule.failedMs - 1;
      const told = { type: 'job', job: { state: 'failed', lastFailure: { code: 'CORRUPT' } } };
      expect(await queue.ensure(wish('a'))).toMatchObject(told);
      expect(await queue.claim('w')).toBeUndefined();
      world.ms += 1;
      expect(await queue.ensure(wish('a'))).toMatchObject({ type: 'job', job: { state: 'waiting', attempts: 0 } });
      expect((await claimed(queue)).fence).toBe(2);
    },
  },
  {
    title: 'tells how far a job is, and forgets it when the next try begins',
    async run(queue) {
      await queue.ensure(wish('a'));
      const held = await claimed(queue);
      const progress = { phase: 'writing', doneBytes: 10, totalBytes: 2 ** 40 } as const;
      expect(await queue.progress(held, progress)).toBe('held');
      expect(await queue.get(held.id)).toMatchObject({ state: 'running', progress });
      await queue.release(held);
      expect(await queue.get(held.id)).toMatchObject({ state: 'waiting', progress: null, attempts: 0, lostLeases: 0 });
    },
  },
  {
    title: 'cancels a waiting job at once, and tells the worker of a running one',
    async run(queue) {
      await queue.ensure(wish('a'));
      expect(await queue.cancel(jobIdOf('a'))).toMatchObject({ state: 'cancelled' });
      expect(await queue.claim('w')).toBeUndefined();
      await queue.ensure(wish('a'));
      const held = await claimed(queue);
      expect(await queue.cancel(held.id)).toMatchObject({ state: 'running', isCancelRequested: true });
      expect(await queue.renew(held)).toBe('cancelled');
      expect(await queue.progress(held, { phase: 'writing', doneBytes: 1, totalBytes: 2 })).toBe('cancelled');
      expect(await queue.release(held)).toBe('cancelled');
      expect(await queue.get(held.id)).toMatchObject({ state: 'cancelled', isCancelRequested: false });
      expect(await queue.cancel(held.id)).toMatchObject({ state: 'cancelled' });
      expect(await queue.retry(held.id)).toMatchObject({ state: 'waiting' });
    },
  },
  {
    title: 'ends a cancelled job whose worker fell silent, or failed',
    async run(queue) {
      await queue.ensure(wish('a'));
      await queue.cancel((await claimed(queue)).id);
      world.ms += jobRule.leaseMs;
      expect(await queue.claim('w')).toBeUndefined();
      expect(await queue.get(jobIdOf('a'))).toMatchObject({ state: 'cancelled' });
      await queue.ensure(wish('b'));
      const held = await claimed(queue);
      await queue.cancel(held.id);
      await queue.fail(held, { code: 'UNAVAILABLE', message: 'as it happens' }, false);
      expect(await queue.get(held.id)).toMatchObject({ state: 'cancelled' });
    },
  },
  {
    title: 'knows no job that nobody wished for',
    async run(queue) {
      const id = jobIdOf('nobody');
      expect([await queue.get(id), await queue.cancel(id), await queue.retry(id)]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect(await queue.renew({ id, fence: 0 })).toBe('lost');
      expect(await queue.complete({ id, fence: 0 }, tarball('nobody'))).toEqual({ isPublished: false });
      expect(await queue.tarball('nobody')).toBeUndefined();
      expect(await queue.pin('nobody', world.ms + minute)).toBe(false);
    },
  },
  {
    title: 'publishes a tarball once: it is ready for the next wish, and its bytes are not due any more',
    async run(queue) {
      await queue.ensure(wish('a'));
      const held = await claimed(queue);
      const made = tarball('a');
      await queue.discard(made, world.ms + minute);
      expect(await queue.isDiscarded(made)).toBe(true);
      expect(await queue.complete(held, made)).toEqual({ isPublished: true });
      expect(await queue.isDiscarded(made)).toBe(false);
      expect(await queue.get(held.id)).toMatchObject({ state: 'done' });
      expect(await queue.ensure(wish('a'))).toEqual({ type: 'ready', tarball: made });
      expect(await listed(queue.tarballs())).toEqual([made]);
      world.ms += minute;
      expect(await queue.due(10)).toEqual([]);
      expect(await queue.complete(held, tarball('a', { attempt: 2 }))).toEqual({ isPublished: false, other: made });
      await queue.discard(made, world.ms);
      expect(await queue.due(10)).toEqual([]);
    },
  },
  {
    title: 'refuses to publish under an old fence, or bytes that are being deleted; they stay due',
    async run(queue) {
      await queue.ensure(wish('a'));
      const [old, made] = [await claimed(queue), tarball('a')];
      await queue.discard(made, world.ms + 1);
      world.ms += jobRule.leaseMs;
      const held = await claimed(queue, 'other');
      expect(await queue.complete(old, made)).toEqual({ isPublished: false });
      expect(await queue.due(10)).toEqual([{ key: made.key, version: made.version }]);
      expect(await queue.complete(held, made)).toEqual({ isPublished: false });
      expect(await queue.tarball('a')).toBeUndefined();
      expect(await queue.get(held.id)).toMatchObject({ state: 'running' });
      expect(await queue.due(10)).toHaveLength(1);
      await queue.forget(made);
      expect(await queue.due(10)).toEqual([]);
      expect(await queue.complete(held, made)).toEqual({ isPublished: false });
    },
  },
  {
    title: 'publishes one of two tarballs of one name that are ready at the same time',
    async run(queue) {
      await queue.ensure(wish('a'));
      const held = await claimed(queue);
      const made = [1, 2, 3, 4].map((attempt) => tarball('a', { attempt }));
      for (const each of made) await queue.discard(each, world.ms + minute);
      const completed = await Promise.all(made.map((each) => queue.complete(held, each)));
      expect(completed.filter(({ isPublished }) => isPublished)).toHaveLength(1);
      const winner = made[completed.findIndex(({ isPublished }) => isPublished)] as Tarball;
      expect(await queue.tarball('a')).toEqual(winner);
      const discarded = await Promise.all(made.map((each) => queue.isDiscarded(each)));
      expect(discarded).toEqual(made.map((each) => each !== winner));
    },
  },
  {
    title:
      'lets what its maker still works on be due later, never sooner, and takes back nothing that is being deleted',
    async run(queue) {
      const made = tarball('a');
      await queue.discard(made, world.ms + minute);
      await queue.discard(made, world.ms + 2 * minute);
      await queue.discard(made, world.ms + 1);
      world.ms += 2 * minute - 1;
      expect(await queue.due(10)).toEqual([]);
      world.ms += 1;
      expect(await queue.due(10)).toHaveLength(1);
      await queue.discard(made, world.ms + minute);
      expect(await queue.due(10)).toHaveLength(1);
    },
  },
  {
    title: 'withdraws a tarball whose bytes are missing, though it is pinned, and no other one of its name',
    async run(queue) {
      const lost = await publish(queue, 'a', 10);
      await queue.pin('a', world.ms + minute);
      await queue.withdraw({ ...lost, key: digestOf('another try') });
      expect(await queue.tarball('a')).toEqual(lost);
      await queue.withdraw(lost);
      expect(await queue.tarball('a')).toBeUndefined();
      expect(await queue.due(10)).toHaveLength(1);
      expect(await queue.ensure(wish('a'))).toMatchObject({ type: 'job', job: { state: 'waiting' } });
    },
  },
  {
    title: 'evicts what is longest unused until the rest fits, and lets its bytes lie for 15 min',
    async run(queue) {
      for (const name of ['a', 'b', 'c']) {
        await publish(queue, name, 10);
        world.ms += minute;
      }
      world.ms += 10 * minute;
      await queue.tarball('a');
      expect(await queue.evict(30)).toEqual([]);
      const evicted = await queue.evict(15);
      expect(evicted.map(({ name }) => name)).toEqual(['b', 'c']);
      expect((await listed(queue.tarballs())).map(({ name }) => name)).toEqual(['a']);
      expect(await queue.tarball('b')).toBeUndefined();
      world.ms += 15 * minute - 1;
      expect(await queue.due(10)).toEqual([]);
      world.ms += 1;
      expect((await queue.due(10)).map(({ key }) => key).toSorted()).toEqual(evicted.map(({ key }) => key).toSorted());
      expect(await queue.ensure(wish('b'))).toMatchObject({ type: 'job', job: { state: 'waiting' } });
    },
  },
  {
    title: 'does not evict what was just made: those who wait for it come to fetch it',
    async run(queue) {
      await publish(queue, 'a', 10);
      world.ms -= 1;
      expect(await queue.evict(0)).toEqual([]);
      world.ms += 1;
      expect(await queue.evict(0)).toHaveLength(1);
    },
  },
  {
    title: 'does not evict what is being downloaded, until the download is over',
    async run(queue) {
      for (const name of ['a', 'b']) await publish(queue, name, 10);
      expect(await queue.pin('a', world.ms + 5 * minute)).toBe(true);
      expect(await queue.pin('a', world.ms + minute)).toBe(true);
      expect((await queue.evict(0)).map(({ name }) => name)).toEqual(['b']);
      world.ms += 5 * minute - 1;
      expect(await queue.evict(0)).toEqual([]);
      world.ms += 1;
      expect((await queue.evict(0)).map(({ name }) => name)).toEqual(['a']);
      expect(await queue.pin('a', world.ms + minute)).toBe(false);
    },
  },
  {
    title: 'lists jobs changed last first, of one state or of all, page by page',
    async run(queue) {
      const names = Array.from({ length: 9 }, (_, n) => `job ${n}`);
      for (const [n, name] of names.entries()) {
        await queue.ensure(wish(name));
        // Several in one millisecond: the place of a page must tell them apart.
        if (n % 3 === 2) world.ms += 1;
      }
      await queue.cancel(jobIdOf('job 4'));
      const seen: Job[] = [];
      for (let after: Job | undefined; ;) {
        const page: readonly Job[] = await queue.list({ after, limit: 2 });
        if (page.length === 0) break;
        seen.push(...page);
        after = page.at(-1);
      }
      expect(seen.map(({ wish: { name } }) => name).toSorted()).toEqual(names);
      expect(seen[0]).toMatchObject({ state: 'cancelled', wish: { name: 'job 4' } });
      const times = seen.map(({ changedAt }) => changedAt);
      expect(times).toEqual(times.toSorted((a, b) => b - a));
      const states: JobState[] = ['cancelled', 'waiting', 'dead'];
      const counts = await Promise.all(states.map(async (state) => (await queue.list({ state, limit: 20 })).length));
      expect(counts).toEqual([1, 8, 0]);
    },
  },
  {
    title: 'forgets jobs an hour after their end, and keeps those that wait or were set aside',
    async run(queue) {
      for (const name of ['done', 'cancelled', 'waiting', 'dead']) await queue.ensure(wish(name));
      await die(queue, 'dead');
      await publish(queue, 'done', 10);
      world.ms -= jobRule.freshMs;
      await queue.cancel(jobIdOf('cancelled'));
      world.ms += jobRule.keptMs;
      expect(await queue.prune()).toBe(0);
      world.ms += 1;
      expect(await queue.prune()).toBe(2);
      expect((await queue.list({ limit: 10 })).map(({ wish: { name } }) => name).toSorted()).toEqual([
        'dead',
        'waiting',
      ]);
      expect(await queue.ensure(wish('done'))).toMatchObject({ type: 'ready' });
      world.ms += jobRule.deadKeptMs;
      expect(await queue.prune()).toBe(1);
      expect((await queue.list({ limit: 10 })).map(({ state }) => state)).toEqual(['waiting']);
    },
  },
  {
    title: 'tells who listens which jobs changed, until they stop listening',
    async run(queue) {
      const told: string[] = [];
      const stop = queue.onChanged((id) => void told.push(id));
      await queue.ensure(wish('a'));
      await heard(queue, () => told.length > 0);
      expect(new Set(told)).toEqual(new Set([jobIdOf('a')]));
      stop();
      told.length = 0;
      await claimed(queue);
      await new Promise((resolve) => void setTimeout(resolve, 20));
      expect(told).toEqual([]);
    },
  },
  {
    title: 'still has its jobs and its tarballs when it is opened again',
    gap: 'reopen',
    async run(queue, place) {
      const made = await publish(queue, 'a', 10);
      await queue.ensure(wish('b'));
      const held = await claimed(queue);
      const again = await place.reopen();
      expect(await again.tarball('a')).toEqual(made);
      expect(await again.renew(held)).toBe('held');
      expect(await again.get(held.id)).toMatchObject({ state: 'running', wish: wish('b') });
    },
  },
];

function wish(name: string): RootfsWish {
  return { name, repo: 'app' as RepositoryName, commit: genesis.id, chainId: emptyChainId, format: 'tar' };
}

function tarball(name: string, { attempt = 1, sizeBytes = 10 } = {}): Tarball {
  const key = digestOf(`${name} ${attempt}`);
  return { name, key, version: 1, sizeBytes, digest: digestOf(name), createdAt: world.ms };
}

async function claimed(queue: JobQueue, worker = 'w'): Promise<Job> {
  const job = await queue.claim(worker);
  expect(job).toBeDefined();
  return job as Job;
}

async function publish(queue: JobQueue, name: string, sizeBytes: number): Promise<Tarball> {
  await queue.ensure(wish(name));
  const held = await claimUntil(queue, name);
  const made = tarball(name, { sizeBytes });
  await queue.discard(made, world.ms + minute);
  expect(await queue.complete(held, made)).toEqual({ isPublished: true });
  world.ms += jobRule.freshMs;
  return made;
}

/** Other jobs may wait as well: they are given back afterwards. */
async function claimUntil(queue: JobQueue, name: string): Promise<Held> {
  const others: Job[] = [];
  for (;;) {
    const job = await claimed(queue);
    if (job.wish.name === name) {
      for (const other of others) await queue.release(other);
      return job;
    }
    others.push(job);
  }
}

async function die(queue: JobQueue, name: string): Promise<void> {
  for (let n = 0; n < jobRule.attemptsMax; n += 1) {
    const held = await claimUntil(queue, name);
    await queue.fail(held, { code: 'UNAVAILABLE', message: 'gone' }, false);
    world.ms = (await queue.get(held.id))?.dueAt ?? world.ms;
  }
}

async function heard(queue: JobQueue, isTold: () => boolean): Promise<void> {
  // Across processes notices are lossy until the listener is connected: change something until one comes.
  for (let n = 0; !isTold() && n < 500; n += 1) {
    await new Promise((resolve) => void setTimeout(resolve, 10));
    const job = await queue.claim('w');
    if (job) await queue.release(job);
  }
  expect(isTold()).toBe(true);
}

async function listed<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}
