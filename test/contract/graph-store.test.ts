import { join } from 'node:path';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { describeEach } from './describe-each.js';
import { graphStoreContract } from './graph-store.contract.js';

/** This list is the list of adapters. */
describeEach(graphStoreContract, [
  {
    name: 'memory',
    open: () => openMemoryGraphStore(),
    gaps: {
      reopen: 'memory is forgotten on purpose',
      rollback: 'nothing in memory can fail half-way but a bug of ours, which ends the projection',
    },
  },
  { name: 'sqlite', open: (folder) => openSqliteGraphStore(join(folder, 'graph.db')) },
]);
