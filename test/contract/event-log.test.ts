import { join } from 'node:path';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import type { EventLog } from '#ports/event-log';
import { type Adapter, describeEach } from './describe-each.js';
import { eventLogContract, TestClock, timeNeverGoesBack } from './event-log.contract.js';

const clock = new TestClock();

/** This list is the list of adapters. */
const adapters: readonly Adapter<EventLog>[] = [
  {
    name: 'memory',
    open: () => openMemoryEventLog(clock),
    gaps: { reopen: 'memory is forgotten on purpose' },
  },
  { name: 'memory, four partitions', open: () => openMemoryEventLog(clock, 4), gaps: { reopen: 'as memory' } },
  { name: 'sqlite', open: (folder) => openSqliteEventLog(join(folder, 'log.db'), clock) },
];

describeEach([...eventLogContract, timeNeverGoesBack(clock)], adapters);
