import { basename } from 'node:path';
import { openRedisJobQueue } from '#adapters/redis/redis-job-queue';
import { redisAddress } from '../fixture/redis-server.js';
import { describeEach } from './describe-each.js';
import { jobQueueContract, world } from './job-queue.contract.js';

describeEach(jobQueueContract, [
  {
    name: 'redis',
    open: (folder) =>
      openRedisJobQueue({
        ...redisAddress(),
        clock: world,
        random: world.random,
        isServerTimed: false,
        prefix: `${basename(folder)}:`,
      }),
    needs: 'VARVE_TEST_REDIS',
  },
]);
