import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { openRedisGraphStore, type RedisGraphOptions } from '#adapters/redis/redis-graph-store';
import { OwnRedis } from '../fixture/redis-server.js';

const servers: OwnRedis[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function start(...settings: string[]): Promise<OwnRedis> {
  const server = await OwnRedis.start(settings);
  servers.push(server);
  return server;
}

async function expectRefusal(options: Omit<RedisGraphOptions, 'partitionCount'>, message: RegExp): Promise<void> {
  const error = await openRedisGraphStore({ partitionCount: 1, ...options }).then(
    async (graph) => graph.close(),
    (refused: Error) => refused,
  );
  expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) });
}

describe('a Redis that is refused', () => {
  it.each(['allkeys-lru', 'volatile-ttl'])('drops keys when memory is short (%s)', async (policy) => {
    const { address } = await start('--maxmemory-policy', policy);
    await expectRefusal(address, new RegExp(`maxmemory-policy ${policy}.*set maxmemory-policy noeviction`));
  });

  it('wants a password, or another one', async () => {
    const { address } = await start('--requirepass', 'hidden');
    await expectRefusal(address, /no password is given: put one into the address/);
    await expectRefusal({ ...address, password: 'wrong' }, /does not accept the password of the address/);
    await expectRefusal({ ...address, username: 'me', password: 'hidden' }, /does not accept user me and the password/);
    const graph = await openRedisGraphStore({ ...address, password: 'hidden', partitionCount: 1 });
    expect(await graph.repositories()).toEqual([]);
    await graph.close();
  });

  it('gives a user too few rights', async () => {
    const server = await start();
    await server.ask((client) => client.acl('SETUSER', 'me', 'on', '>hidden', '~*', '&*', '+@all', '-append'));
    await expectRefusal(
      { ...server.address, username: 'me', password: 'hidden' },
      /does not let this user.*give it all commands/,
    );
    expect(await server.ask((client) => client.keys('*'))).toEqual([]);
  });

  it('has no such database', async () => {
    const { address } = await start();
    await expectRefusal({ ...address, db: 99 }, /has no database 99: name another one/);
  });

  it('is a replica', async () => {
    const primary = await start();
    const { address } = await start('--replicaof', '127.0.0.1', String(primary.port));
    await expectRefusal(address, /is a replica: name the address of its primary/);
  });

  it('is part of a cluster', async () => {
    const { address } = await start('--cluster-enabled', 'yes');
    await expectRefusal(address, /Redis Cluster/);
  });

  it('holds a graph for a log of another shape', async () => {
    const { address } = await start();
    const graph = await openRedisGraphStore({ ...address, partitionCount: 16 });
    await graph.close();
    const error = await openRedisGraphStore({ ...address, partitionCount: 4 }).catch((refused: Error) => refused);
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/made for 16 partitions, and the event log has 4.*another prefix/),
    });
  });

  it('is given a prefix that cannot begin keys', async () => {
    const { address } = await start();
    await expectRefusal({ ...address, prefix: 'a b' }, /"a b" cannot begin the keys/);
    await expectRefusal({ ...address, prefix: '' }, /cannot begin the keys/);
    await expectRefusal({ ...address, prefix: 'a*' }, /cannot begin the keys/);
  });

  it('is too old', async () => {
    // No package has one that old: this says what one would say.
    const old = createServer((socket) => {
      socket.on('data', (bytes) => {
        const asked =
          bytes
            .toString()
            .toLowerCase()
            .match(/^(?:ping|info|client|select)\r$/gm) ?? [];
        const info = 'redis_version:6.0.20\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n';
        for (const word of asked) {
          socket.write(
            word.startsWith('info')
              ? `$${info.length}\r\n${info}\r\n`
              : word.startsWith('ping')
                ? '+PONG\r\n'
                : '+OK\r\n',
          );
        }
      });
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(old, 'listening');
    const { port } = old.address() as AddressInfo;
    await expectRefusal({ host: '127.0.0.1', port }, /is version 6\.0\.20: the graph needs 6\.2 or newer/);
    old.close();
  });

  it('is not there: that may pass', async () => {
    const server = await start();
    await server.kill();
    const error = await openRedisGraphStore({ ...server.address, partitionCount: 1 }).catch((lost: Error) => lost);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining(`127.0.0.1:${server.port}`) });
  });
});
