import { join } from 'node:path';
import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { openSqliteAuditStore } from '#adapters/sqlite/sqlite-audit-store';
import type { AuditStore } from '#ports/audit-store';
import { auditStoreContract } from './audit-store.contract.js';
import { type Adapter, describeEach } from './describe-each.js';

/** This list is the list of adapters. */
const adapters: readonly Adapter<AuditStore>[] = [
  { name: 'memory', open: openMemoryAuditStore, gaps: { reopen: 'memory is forgotten on purpose' } },
  { name: 'sqlite', open: (folder) => openSqliteAuditStore(join(folder, 'audit.db')) },
];

describeEach(auditStoreContract, adapters);
