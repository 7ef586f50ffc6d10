import { setTimeout as sleep } from 'node:timers/promises';
import { openKafkaEventLog } from '#adapters/kafka/kafka-event-log';
import type { EventLog } from '#ports/event-log';
import { appendStubbornly, follow, textsOf, until } from '../fixture/fault-log.js';
import { KafkaServer } from '../fixture/kafka-server.js';

let server: KafkaServer;
let log: EventLog;
let topic = '';
let count = 0;
let follower: ReturnType<typeof follow> | undefined;
beforeAll(async () => (server = await KafkaServer.start(3)), 180_000);
beforeEach(async () => {
  topic = `brokers-${(count += 1)}`;
  log = await openKafkaEventLog({ brokers: server.brokers, topic, partitions: 3 });
});
afterEach(async () => {
  await follower?.end();
  follower = undefined;
  await log.close();
  await server.restart();
}, 180_000);
afterAll(() => server.down());

/** The broker, counted from 0, that leads a partition. */
async function leaderOf(partition: number): Promise<number> {
  const { topics } = await server.asOperator((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
  return (found?.leader as number) - 1;
}

it('keeps three copies, two of them in sync for an acknowledgement', async () => {
  const { topics } = await server.asOperator((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  expect(topics[0]?.partitions.map(({ replicas }) => replicas.length)).toEqual([3, 3, 3]);
});

it('goes on without the leader of a partition, in order, and loses nothing it acknowledged', async () => {
  const followed = (follower = follow(log, 0));
  const appended: string[] = [];
  const appending = (async () => {
    for (let n = 0; n < 120; n += 1) {
      await appendStubbornly(log, 0, `r${n}`);
      appended.push(`r${n}`);
    }
  })();
  await until(() => appended.length >= 20);
  await server.kill(await leaderOf(0));
  await appending;
  expect([...new Set(await textsOf(log, 0))]).toEqual(appended);
  const end = await log.end(0);
  await until(() => followed.offsets.length === end - 1);
  expect(followed.offsets).toEqual(Array.from({ length: end - 1 }, (_, i) => i + 1));
});

it('acknowledges nothing that only one broker has: UNAVAILABLE without two, and everything again with them', async () => {
  await log.append(1, [Buffer.from('before')]);
  const leader = await leaderOf(1);
  for (const broker of [0, 1, 2].filter((other) => other !== leader)) await server.kill(broker);
  await expect(log.append(1, [Buffer.from('alone')])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await server.restart();
  await sleep(100);
  await appendStubbornly(log, 1, 'after');
  const texts = await textsOf(log, 1);
  expect(texts[0]).toBe('before');
  expect(texts.at(-1)).toBe('after');
});
