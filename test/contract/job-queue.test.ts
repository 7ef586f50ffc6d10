import { join } from 'node:path';
import { openMemoryJobQueue } from '#adapters/memory/memory-job-queue';
import { openSqliteJobQueue } from '#adapters/sqlite/sqlite-job-queue';
import type { JobQueue } from '#ports/job-queue';
import { type Adapter, describeEach } from './describe-each.js';
import { jobQueueContract, world } from './job-queue.contract.js';

const options = { clock: world, random: world.random };

/** This list is the list of adapters. */
const adapters: readonly Adapter<JobQueue>[] = [
  { name: 'memory', open: () => openMemoryJobQueue(options), gaps: { reopen: 'memory is forgotten on purpose' } },
  { name: 'sqlite', open: (folder) => openSqliteJobQueue(join(folder, 'jobs.db'), options) },
];

describeEach(jobQueueContract, adapters);
