import { randomBytes } from 'node:crypto';
import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { openSqliteAuditStore } from '#adapters/sqlite/sqlite-audit-store';
import { Auditor } from '#audit/auditor';
import { logName } from '#audit/checkpoint';
import { newSignerText, parseSigner } from '#audit/note';
import type { AuditStore } from '#ports/audit-store';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { readOrMakeKey } from './audit-key.js';
import type { Config } from './config.js';
import type { AuditLocation } from './location.js';
import type { Role } from './role.js';
import { systemClock } from './system-clock.js';

/** The trees that a process of this role has for itself: one process signs, so one has them. */
export function auditOf({ auditStore }: Config, role: Role): readonly AuditLocation[] {
  return role === 'standalone' ? [auditStore] : [];
}

/** Opens the trees and the key and goes on where they were left. @throws CONFIG_INVALID, CORRUPT, UNAVAILABLE */
export async function openAudit(
  { auditStore, auditKey, auditMs }: Config,
  { log, graph }: { readonly log: EventLog; readonly graph: GraphReader },
  opened: AsyncDisposableStack,
): Promise<Auditor> {
  const store = openAuditStore(auditStore);
  opened.defer(() => store.close());
  const name = logName(log.id);
  // What is forgotten at the end needs no key that is kept.
  const signer =
    auditStore.scheme === 'memory' ? parseSigner(newSignerText(name)) : await readOrMakeKey(auditKey, name);
  const auditor = await Auditor.start({
    log,
    graph,
    store,
    signer,
    clock: systemClock,
    random: randomBytes,
    intervalMs: auditMs,
  });
  opened.defer(() => auditor.close());
  return auditor;
}

function openAuditStore(location: AuditLocation): AuditStore {
  return location.scheme === 'memory' ? openMemoryAuditStore() : openSqliteAuditStore(location.path);
}
