import { basename } from 'node:path';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import { redisAddress } from '../fixture/redis-server.js';
import { describeEach } from './describe-each.js';
import { graphStoreContract } from './graph-store.contract.js';

/** The same cases on a real server; each has keys of its own. */
describeEach(graphStoreContract, [
  {
    name: 'redis',
    needs: 'VARVE_TEST_REDIS',
    open: (folder) => openRedisGraphStore({ ...redisAddress(), partitionCount: 1, prefix: `${basename(folder)}:` }),
  },
]);
