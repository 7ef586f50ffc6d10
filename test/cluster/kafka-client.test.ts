import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { newKafka } from '#adapters/kafka/kafka-client';
import { openKafkaEventLog } from '#adapters/kafka/kafka-event-log';
import type { EventLog } from '#ports/event-log';

const brokers = (process.env['VARVE_TEST_KAFKA'] as string).split(',');
let topic: string;
let log: EventLog;
beforeEach(async () => {
  topic = `client-${randomBytes(6).toString('hex')}`;
  log = await openKafkaEventLog({ brokers, topic, partitions: 1 });
});
afterEach(() => log.close());

/** What the client library does, as far as the adapter is built around it. A change of these is a reason to look again. */
describe('kafkajs', () => {
  it('jumps over records that are gone without a word, when its own consumer reads: the adapter says LOG_TRUNCATED', async () => {
    await log.append(
      0,
      Array.from({ length: 10 }, (_, n) => Buffer.from(`r${n}`)),
    );
    const kafka = newKafka(brokers, 'test');
    const admin = kafka.admin();
    await admin.connect();
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '8' }] });
    await admin.disconnect();

    const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
    const first = Promise.withResolvers<string>();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    // A new server has no coordinator yet, and the first join may fail: whenever it joins.
    consumer.on(consumer.events.GROUP_JOIN, () => consumer.seek({ topic, partition: 0, offset: '3' }));
    await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => first.resolve(message.offset) });
    expect(await first.promise).toBe('8');
    await consumer.disconnect();

    const reading = log.read(0, 3)[Symbol.asyncIterator]().next();
    await expect(reading).rejects.toMatchObject({ code: 'LOG_TRUNCATED' });
  });

  it('starts no timers in the past while nothing is asked, with the adapter loaded', async () => {
    const ending = new AbortController();
    const following = (async () => {
      for await (const batch of log.follow(0, 1, ending.signal)) expect(batch).toBe('nothing');
    })();
    await sleep(300);
    const { setTimeout: original } = globalThis;
    let inThePast = 0;
    globalThis.setTimeout = ((work: () => void, ms?: number, ...rest: unknown[]) => {
      if (ms !== undefined && ms < 0) inThePast += 1;
      return original(work, ms, ...(rest as []));
    }) as typeof setTimeout;
    try {
      await sleep(1_500);
    } finally {
      globalThis.setTimeout = original;
    }
    ending.abort();
    await following;
    // Without the patch it is about a thousand a second, on each of the connections.
    expect(inThePast).toBe(0);
  });
});
