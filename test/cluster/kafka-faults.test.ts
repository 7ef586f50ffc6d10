import { setTimeout as sleep } from 'node:timers/promises';
import { openKafkaEventLog } from '#adapters/kafka/kafka-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import type { EventLog } from '#ports/event-log';
import { Projector } from '#projection/follow';
import { appendStubbornly, follow, textsOf, until } from '../fixture/fault-log.js';
import { KafkaServer } from '../fixture/kafka-server.js';

let server: KafkaServer;
let log: EventLog;
let topic = '';
let count = 0;
let follower: ReturnType<typeof follow> | undefined;
beforeAll(async () => (server = await KafkaServer.start()), 120_000);
beforeEach(async () => {
  topic = `faults-${(count += 1)}`;
  log = await open();
});
afterEach(async () => {
  await follower?.end();
  follower = undefined;
  await log.close();
});
afterAll(() => server.down());

const open = () => openKafkaEventLog({ brokers: server.brokers, topic, partitions: 2 });
const bytesOf = (text: string) => Buffer.from(text);

it('loses nothing it acknowledged when the broker is killed and comes back, and everyone goes on by themselves', async () => {
  const followed = (follower = follow(log, 0));
  await log.append(0, [bytesOf('before')]);
  await until(() => followed.offsets.length === 1);

  await server.kill();
  await expect(log.append(0, [bytesOf('lost')])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(log.end(0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await server.restart();

  await appendStubbornly(log, 0, 'after');
  const end = await log.end(0);
  await until(() => followed.offsets.length === end - 1);
  await followed.end();
  expect(followed.offsets).toEqual(Array.from({ length: end - 1 }, (_, i) => i + 1));
  // Whoever followed was told, and so looks whether what came back is what was there.
  expect(followed.interruptions).toContainEqual(expect.objectContaining({ code: 'UNAVAILABLE' }));
  const texts = await textsOf(log, 0);
  expect(texts[0]).toBe('before');
  expect(texts.at(-1)).toBe('after');
});

it('keeps the order and the records of appenders while the broker is killed under them', async () => {
  const appended: string[] = [];
  const appender = (async () => {
    for (let n = 0; n < 150; n += 1) {
      await appendStubbornly(log, n % 2, `r${n}`);
      appended.push(`r${n}`);
    }
  })();
  await until(() => appended.length >= 30);
  await server.kill();
  await server.restart();
  await appender;
  for (const partition of [0, 1]) {
    const wanted = appended.filter((_, n) => n % 2 === partition);
    // A copy of a record may stand twice, and never before an earlier one.
    expect([...new Set(await textsOf(log, partition))]).toEqual(wanted);
  }
});

it('waits for a broker that hangs, and goes on when it does', async () => {
  const followed = (follower = follow(log, 1));
  await log.append(1, [bytesOf('before')]);
  await until(() => followed.offsets.length === 1);
  server.signal('SIGSTOP');
  const appending = log.append(1, [bytesOf('meanwhile')]).catch((error: unknown) => error);
  await sleep(3_000);
  server.signal('SIGCONT');
  expect(await appending).toBeUndefined();
  await until(() => followed.offsets.length === 2);
  await followed.end();
  expect(await textsOf(log, 1)).toEqual(['before', 'meanwhile']);
});

it('says UNAVAILABLE of a broker that hangs for long, and uses it again afterwards', async () => {
  server.signal('SIGSTOP');
  const appending = log.append(0, [bytesOf('maybe')]).catch((error: unknown) => error);
  const asking = log.end(0).catch((error: unknown) => error);
  try {
    expect(await appending).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await asking).toMatchObject({ code: 'UNAVAILABLE' });
  } finally {
    server.signal('SIGCONT');
  }
  await appendStubbornly(log, 0, 'after');
  expect((await textsOf(log, 0)).at(-1)).toBe('after');
});

it('says LOG_TRUNCATED when records are deleted from the beginning, to readers and to followers', async () => {
  await log.append(
    0,
    Array.from({ length: 10 }, (_, n) => bytesOf(`r${n}`)),
  );
  await server.cutOff(topic, 0, 5);
  const readAll = async (batches: AsyncIterable<unknown>) => {
    for await (const _ of batches);
  };
  const gone = {
    code: 'LOG_TRUNCATED',
    message: expect.stringContaining('it holds records 5 to 10, and record 3 is asked for'),
  };
  await expect(readAll(log.read(0, 3))).rejects.toMatchObject(gone);
  await expect(readAll(log.follow(0, 3, new AbortController().signal))).rejects.toMatchObject(gone);
  const rest: unknown[] = [];
  for await (const batch of log.read(0, 5)) rest.push(...batch);
  expect(rest).toHaveLength(6);
  await expect(open()).rejects.toMatchObject({ code: 'LOG_TRUNCATED' });
});

it('halts the projection when a record it waits for was cut off, instead of jumping over it', async () => {
  const graph = openMemoryGraphStore(2);
  const first = new Projector({ log, graph });
  first.start();
  await first.caughtUp();
  await first.stop();
  await log.append(
    0,
    Array.from({ length: 5 }, (_, n) => bytesOf(`r${n}`)),
  );
  await server.cutOff(topic, 0, 4);
  const projector = new Projector({ log, graph });
  projector.start();
  expect(await projector.failure).toMatchObject({ code: 'LOG_TRUNCATED' });
  expect((await graph.checkpoint(0)).offset).toBe(0);
  await projector.stop();
});

it('halts the projection when the topic is deleted under it', async () => {
  const graph = openMemoryGraphStore(2);
  const projector = new Projector({ log, graph });
  projector.start();
  await projector.caughtUp();
  await server.asOperator((admin) => admin.deleteTopics({ topics: [topic] }));
  expect(await projector.failure).toMatchObject({ code: 'LOG_TRUNCATED', message: expect.stringContaining('is gone') });
  await projector.stop();
});

it('halts the projection when the topic is deleted and made again under it', async () => {
  const graph = openMemoryGraphStore(2);
  const projector = new Projector({ log, graph });
  await log.append(
    0,
    Array.from({ length: 5 }, (_, n) => bytesOf(`r${n}`)),
  );
  projector.start();
  await projector.caughtUp();
  await server.asOperator((admin) => admin.deleteTopics({ topics: [topic] }));
  await sleep(1_000);
  const again = await open();
  expect(again.id).not.toBe(log.id);
  await again.append(
    0,
    Array.from({ length: 20 }, (_, n) => bytesOf(`other${n}`)),
  );
  expect(await projector.failure).toMatchObject({ code: 'LOG_TRUNCATED' });
  expect((await graph.checkpoint(0)).offset).toBe(5);
  await projector.stop();
  await again.close();
});
