import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isVarveError } from '#core/error';
import { loadConfig, settings } from './config.js';

function mistakesOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (isVarveError(error, 'CONFIG_INVALID')) return error.detail['mistakes'] as readonly string[];
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('needs nothing: SQLite and files below ./data, on loopback', () => {
    expect(loadConfig({ HOME: '/root' })).toEqual({
      listen: { host: '127.0.0.1', port: 7373 },
      grpcListen: { host: '127.0.0.1', port: 7376 },
      eventLog: { scheme: 'sqlite', path: resolve('data/log.db') },
      graph: { scheme: 'sqlite', path: resolve('data/graph.db') },
      blobStore: { scheme: 'file', path: resolve('data') },
      logLevel: 'info',
      treeCacheBytes: 96 * 2 ** 20,
      tarballBudgetBytes: 10 * 2 ** 30,
      gcMs: 86_400_000,
      gcGraceMs: 86_400_000,
      auditStore: { scheme: 'sqlite', path: resolve('data/audit.db') },
      auditKey: resolve('data/audit.key'),
      auditMs: 10_000,
      shutdownMs: 20_000,
      haltMs: 30_000,
    });
  });

  it('puts what has no address of its own into VARVE_DATA', () => {
    const config = loadConfig({ VARVE_DATA: '/srv/varve', VARVE_GRAPH: 'memory:' });
    expect(config.eventLog).toEqual({ scheme: 'sqlite', path: '/srv/varve/log.db' });
    expect(config.graph).toEqual({ scheme: 'memory' });
    expect(config.blobStore).toEqual({ scheme: 'file', path: '/srv/varve' });
  });

  it('keeps the audit of a log in memory in memory, unless it is told where', () => {
    expect(loadConfig({ VARVE_EVENT_LOG: 'memory:' }).auditStore).toEqual({ scheme: 'memory' });
    const told = { VARVE_EVENT_LOG: 'memory:', VARVE_AUDIT_STORE: 'sqlite:/a.db', VARVE_AUDIT_KEY: '/k' };
    expect(loadConfig(told)).toMatchObject({ auditStore: { scheme: 'sqlite', path: '/a.db' }, auditKey: '/k' });
  });

  it.each([
    ['7000', { host: '127.0.0.1', port: 7000 }],
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    ['[::1]:7373', { host: '::1', port: 7373 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('listens on %s', (text, listen) => {
    expect(loadConfig({ VARVE_LISTEN: text }).listen).toEqual(listen);
  });

  it.each([
    [{ VARVE_LISTEN: '0.0.0.0:80' }, { host: '0.0.0.0', port: 83 }],
    [{ VARVE_LISTEN: '[::1]:0' }, { host: '::1', port: 0 }],
    [
      { VARVE_LISTEN: '7000', VARVE_GRPC_LISTEN: '0.0.0.0:9000' },
      { host: '0.0.0.0', port: 9000 },
    ],
    [{ VARVE_GRPC_LISTEN: 'off' }, null],
  ])('has gRPC beside it: %o', (environment, grpcListen) => {
    expect(loadConfig(environment).grpcListen).toEqual(grpcListen);
  });

  it('tells a wrong address once, not again for gRPC beside it', () => {
    expect(mistakesOf({ VARVE_LISTEN: 'nonsense' })).toHaveLength(1);
    expect(mistakesOf({ VARVE_LISTEN: '127.0.0.1:65535' })).toEqual([expect.stringContaining('VARVE_GRPC_LISTEN')]);
  });

  it('cannot be changed once it is read', () => {
    const config = loadConfig({});
    expect(Object.isFrozen(config) && Object.isFrozen(config.listen) && Object.isFrozen(config.graph)).toBe(true);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ VARVE_LOG_LEVEL: '' }).logLevel).toBe('info');
  });

  it('leaves the variables of the command line and of tests alone', () => {
    expect(
      mistakesOf({
        VARVE_SERVER: 'x',
        VARVE_REPO: 'y',
        VARVE_ACTOR: 'z',
        VARVE_TEST_S3: '1',
        VARVE_SERVICES_CACHE: '/c',
      }),
    ).toEqual([]);
  });

  it('names every mistake at once', () => {
    const mistakes = mistakesOf({
      VARVE_LISTEN: 'here',
      VARVE_EVENT_LOG: 'kafka:b:9092/varve',
      VARVE_GRAPH: 'file:/x',
      VARVE_BLOB_STORE: 's3://bucket',
      VARVE_LOG_LEVEL: 'loud',
      VARVE_TREE_CACHE_MIB: '1',
      VARVE_PORT: '1',
    });
    expect(mistakes).toEqual([
      expect.stringMatching(/^VARVE_PORT is not a setting; there are VARVE_LISTEN, /),
      'VARVE_LISTEN="here": expected HOST:PORT, [IPV6]:PORT or PORT',
      'VARVE_EVENT_LOG="kafka:b:9092/varve": expected kafka://HOST:PORT[,HOST:PORT]/TOPIC[?partitions=N&replication=N]',
      'VARVE_GRAPH="file:/x": expected sqlite:PATH, redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=TEXT] or memory:',
      'VARVE_BLOB_STORE="s3://bucket": s3: needs credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
      'VARVE_LOG_LEVEL="loud": expected one of trace, debug, info, warn, error, fatal, silent',
      'VARVE_TREE_CACHE_MIB="1": expected a whole number from 16 to 65536',
    ]);
  });

  it.each(['sqlite:', 'memory:x', 'log.db', '127.0.0.1:99999'])('refuses the address "%s"', (text) => {
    expect(mistakesOf({ VARVE_EVENT_LOG: text })).toHaveLength(1);
  });
});

describe('docs/reference/config.md', () => {
  it('has a row for each setting, with its default and meaning', () => {
    const rows = [
      ...readFileSync('docs/reference/config.md', 'utf8').matchAll(/^\| `(VARVE_\w+)` \| `([^`]*)` \| (.*) \|$/gm),
    ];
    const told = Object.fromEntries(rows.map(([, name, standard, meaning]) => [name, { standard, meaning }]));
    expect(told).toEqual(settings);
  });
});
