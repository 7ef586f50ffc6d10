import { isVarveError } from '#core/error';
import { loadConfig } from './config.js';
import type { Role } from './role.js';

const servers = {
  VARVE_EVENT_LOG: 'kafka://127.0.0.1:9092/varve',
  VARVE_GRAPH: 'redis://:hidden@127.0.0.1',
  VARVE_BLOB_STORE: 's3://blobs?endpoint=http://127.0.0.1:9000',
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'hidden',
};

function mistakesOf(role: Role, environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment, role);
  } catch (error) {
    if (!isVarveError(error, 'CONFIG_INVALID')) throw error;
    expect(error.message).not.toContain('hidden');
    return error.detail['mistakes'] as readonly string[];
  }
  return [];
}

describe('the stores of a role', () => {
  it.each<Role>(['standalone', 'gateway', 'projector', 'materializer', 'notary'])('may be servers: %s', (role) => {
    expect(mistakesOf(role, servers)).toEqual([]);
  });

  it.each<[Role, string[]]>([
    ['gateway', ['VARVE_EVENT_LOG', 'VARVE_GRAPH', 'VARVE_BLOB_STORE']],
    ['projector', ['VARVE_EVENT_LOG', 'VARVE_GRAPH']],
    ['materializer', ['VARVE_EVENT_LOG', 'VARVE_GRAPH', 'VARVE_BLOB_STORE']],
    ['notary', ['VARVE_EVENT_LOG', 'VARVE_GRAPH', 'VARVE_BLOB_STORE']],
  ])('are shared ones for a %s', (role, names) => {
    expect(mistakesOf(role, {})).toEqual(
      names.map(
        (name) => expect.stringMatching(new RegExp(`^${name} is .*one process has for itself.*${role}`)) as string,
      ),
    );
  });

  it('say where the gateway gets its projector', () => {
    expect(mistakesOf('gateway', { ...servers, VARVE_GRAPH: 'sqlite:/srv/graph.db' })).toEqual([
      expect.stringMatching(/^VARVE_GRAPH is sqlite:\/srv\/graph\.db.*redis:.*npm start$/) as string,
      expect.stringContaining('16 partitions') as string,
    ]);
  });

  it('may be mixed in one process, as far as their partitions are the same', () => {
    const embedded = { ...servers, VARVE_GRAPH: 'sqlite:/srv/graph.db' };
    expect(mistakesOf('standalone', embedded)).toEqual([
      'VARVE_EVENT_LOG has 16 partitions, and a graph in SQLite has one; set VARVE_GRAPH to redis:, or ?partitions=1 for a new topic',
    ]);
    const one = { ...embedded, VARVE_EVENT_LOG: 'kafka://127.0.0.1:9092/varve?partitions=1' };
    expect(mistakesOf('standalone', one)).toEqual([]);
    expect(mistakesOf('standalone', { ...servers, VARVE_EVENT_LOG: 'sqlite:/srv/log.db' })).toEqual([]);
  });

  it('have the audit trees beside the graph, where others reach both', () => {
    expect(loadConfig(servers, 'gateway').auditStore.scheme).toBe('shared');
    expect(loadConfig(servers, 'standalone').auditStore.scheme).toBe('shared');
    expect(loadConfig({}, 'standalone').auditStore.scheme).toBe('sqlite');
    expect(mistakesOf('notary', { ...servers, VARVE_AUDIT_STORE: 'sqlite:/srv/audit.db' })).toEqual([
      expect.stringMatching(/^VARVE_AUDIT_STORE is sqlite:\/srv\/audit\.db.*a notary shares it/) as string,
    ]);
    expect(mistakesOf('standalone', { VARVE_AUDIT_STORE: 'shared:' })).toEqual([
      expect.stringMatching(/^VARVE_AUDIT_STORE is shared:.*redis:.*sqlite:FILE$/) as string,
    ]);
    expect(mistakesOf('standalone', { ...servers, VARVE_AUDIT_STORE: 'sqlite:/srv/audit.db' })).toEqual([]);
  });

  it('never show a secret in a mistake', () => {
    const wrong = {
      ...servers,
      VARVE_GRAPH: 'redis://me:hidden@/x@nowhere:y',
      VARVE_BLOB_STORE: 's3://b?secret=hidden',
    };
    expect(mistakesOf('gateway', wrong)).toHaveLength(2);
  });
});

describe('where a role listens', () => {
  it('is beside the others, unless it is told', () => {
    const portOf = (role: Role) => loadConfig(servers, role).listen.port;
    expect([
      portOf('standalone'),
      portOf('gateway'),
      portOf('projector'),
      portOf('materializer'),
      portOf('notary'),
    ]).toEqual([7373, 7373, 7374, 7375, 7377]);
    expect(loadConfig({ ...servers, VARVE_LISTEN: '127.0.0.1:7373' }, 'projector').listen.port).toBe(7373);
  });
});
