import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { openSqliteAuditStore } from '#adapters/sqlite/sqlite-audit-store';
import { AuditWriter } from '#audit/audit-writer';
import { Auditor } from '#audit/auditor';
import { logName } from '#audit/checkpoint';
import { newSignerText, type NoteSigner, parseSigner } from '#audit/note';
import { unreachable, VarveError } from '#core/error';
import type { AuditStore } from '#ports/audit-store';
import type { BlobStore } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { OutcomeReplay } from '#projection/replay-outcomes';
import { readOrMakeKey } from './audit-key.js';
import type { Config } from './config.js';
import type { AuditLocation } from './location.js';
import { redisAddress } from './open-stores.js';
import type { Role } from './role.js';
import { openScratchGraph } from './scratch-graph.js';
import { systemClock } from './system-clock.js';

/** What the audit stands on. */
export interface AuditedStores {
  readonly log: EventLog;
  readonly graph: GraphReader;
  readonly blobs: BlobStore;
}

/** Both halves; who has no key has no writer. */
export interface OpenedAudit {
  readonly auditor: Auditor;
  readonly writer: AuditWriter | undefined;
}

/** The trees that a process of this role has for itself. */
export function auditOf({ auditStore }: Config, role: Role): readonly AuditLocation[] {
  return role === 'standalone' ? [auditStore] : [];
}

/**
 * Opens the trees, and with the key the half that writes them, which goes on where they were left. A gateway has no key. A
 * standalone process on shared trees that others sign, and without the file of their key, only reads as well.
 * @throws CONFIG_INVALID, CORRUPT, UNAVAILABLE
 */
export async function openAudit(
  config: Config,
  { stores, role }: { readonly stores: AuditedStores; readonly role: 'standalone' | 'gateway' },
  opened: AsyncDisposableStack,
): Promise<OpenedAudit> {
  const store = await openAuditStore(config, stores);
  opened.defer(() => store.close());
  await store.bind(stores.log.id);
  const isShared = config.auditStore.scheme === 'shared';
  const isReader =
    role === 'gateway' || (isShared && !existsSync(config.auditKey) && (await store.key()) !== undefined);
  const writer = isReader ? undefined : await openAuditWriter(config, { ...stores, store }, opened);
  const { log, graph } = stores;
  return { auditor: new Auditor({ log, graph, store, clock: systemClock, writer }), writer };
}

/** The half that has the key. @throws CONFIG_INVALID when it is another one than the trees are signed with; UNAVAILABLE */
export async function openAuditWriter(
  config: Config,
  { log, graph, store }: { readonly log: EventLog; readonly graph: GraphReader; readonly store: AuditStore },
  opened: AsyncDisposableStack,
): Promise<AuditWriter> {
  const signer = await signerOf(config, logName(log.id), store);
  const writer = await AuditWriter.start({
    log,
    graph,
    store,
    signer,
    clock: systemClock,
    random: randomBytes,
    intervalMs: config.auditMs,
    replay: new OutcomeReplay(log, openScratchGraph),
  });
  opened.defer(() => writer.close());
  return writer;
}

/** @throws CONFIG_INVALID, CORRUPT, UNAVAILABLE */
export async function openAuditStore(
  { auditStore, graph }: Pick<Config, 'auditStore' | 'graph'>,
  { log, blobs }: Pick<AuditedStores, 'log' | 'blobs'>,
): Promise<AuditStore> {
  switch (auditStore.scheme) {
    case 'memory':
      return openMemoryAuditStore();
    case 'sqlite':
      return openSqliteAuditStore(auditStore.path);
    case 'shared': {
      if (graph.scheme !== 'redis') throw new VarveError('CONFIG_INVALID', 'shared audit trees need a graph in Redis');
      const { openRedisAuditStore } = await import('#adapters/redis/redis-audit-store');
      return openRedisAuditStore({ ...redisAddress(graph), prefix: `${graph.prefix}:`, blobs, scope: log.id });
    }
    default:
      return unreachable(auditStore);
  }
}

async function signerOf({ auditStore, auditKey }: Config, name: string, store: AuditStore): Promise<NoteSigner> {
  // What is forgotten at the end needs no key that is kept.
  if (auditStore.scheme === 'memory') return parseSigner(newSignerText(name));
  const known = await store.key();
  if (known === undefined || existsSync(auditKey)) return readOrMakeKey(auditKey, name);
  const message = `VARVE_AUDIT_KEY="${auditKey}": there is no such file, and the audit trees are signed with ${known}: restore the key file`;
  throw new VarveError('CONFIG_INVALID', message, { path: auditKey, key: known });
}
