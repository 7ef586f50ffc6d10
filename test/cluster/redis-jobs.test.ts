import { openRedisJobQueue } from '#adapters/redis/redis-job-queue';
import { genesis } from '#core/commit';
import { emptyChainId } from '#core/digest';
import type { RootfsWish } from '#core/job';
import { parseRepositoryName } from '#core/name';
import type { JobQueue } from '#ports/job-queue';
import { OwnRedis } from '../fixture/redis-server.js';

let redis: OwnRedis;
const queues: JobQueue[] = [];

beforeEach(async () => {
  redis = await OwnRedis.start();
});
afterEach(async () => {
  await Promise.all(queues.splice(0).map((queue) => queue.close()));
  await redis.stop();
});

/** On a machine whose clock is that far off. */
async function queueOn({ aheadMs }: { readonly aheadMs: number }): Promise<JobQueue> {
  const clock = { now: () => Date.now() + aheadMs };
  const queue = await openRedisJobQueue({ ...redis.address, clock, prefix: 'jobs-test:' });
  queues.push(queue);
  return queue;
}

const repo = parseRepositoryName('app');
const wish: RootfsWish = { name: 'a', repo, commit: genesis.id, chainId: emptyChainId, format: 'tar' };
const hourMs = 3_600_000;

it('leaves a lease to its worker though the clocks of machines are hours apart', async () => {
  const [late, early] = [await queueOn({ aheadMs: -hourMs }), await queueOn({ aheadMs: hourMs })];
  await early.ensure(wish);
  const held = await late.claim('late');
  expect(held).toMatchObject({ state: 'running', lostLeases: 0 });
  expect(await early.claim('early')).toBeUndefined();
  expect(await late.renew(held!)).toBe('held');
});

it('says that a server is away, and goes on with what it kept when it is back', async () => {
  const queue = await queueOn({ aheadMs: 0 });
  await queue.ensure(wish);
  const held = await queue.claim('w');
  await redis.snapshot();
  await redis.kill();
  await expect(queue.renew(held!)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await redis.goBack();
  expect(await queue.renew(held!)).toBe('held');
});

it('is asked again when the server has lost everything: the worker is told, and the wish is a new job', async () => {
  const queue = await queueOn({ aheadMs: 0 });
  await queue.ensure(wish);
  const held = await queue.claim('w');
  await redis.ask((client) => client.flushall());
  expect(await queue.renew(held!)).toBe('lost');
  expect(await queue.ensure(wish)).toMatchObject({ type: 'job', job: { state: 'waiting', fence: 0 } });
});
