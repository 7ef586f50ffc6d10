import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { newKafka } from '#adapters/kafka/kafka-client';
import { openKafkaEventLog } from '#adapters/kafka/kafka-event-log';
import { checkVersions } from '#adapters/kafka/log-topic';

const brokers = (process.env['VARVE_TEST_KAFKA'] as string).split(',');
const kafka = newKafka(brokers, 'operator');
const admin = kafka.admin();
let topic: string;
beforeAll(() => admin.connect());
beforeEach(() => (topic = `refusal-${randomBytes(6).toString('hex')}`));
afterAll(() => admin.disconnect());

const open = (partitions = 2) => openKafkaEventLog({ brokers, topic, partitions });

/** What Varve itself would set, but for what a case changes. */
const good = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
  'message.timestamp.type': 'LogAppendTime',
  'max.message.bytes': '1048576',
  'flush.messages': '1',
};

async function makeTopic(changed: Record<string, string>): Promise<void> {
  const configEntries = Object.entries({ ...good, ...changed }).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1, configEntries }] });
}

describe('a topic that would lose or change records is refused, and the message says what to set', () => {
  it.each([
    ['compaction', { 'cleanup.policy': 'compact' }, 'cleanup.policy=delete'],
    ['compaction beside deletion', { 'cleanup.policy': 'compact,delete' }, 'cleanup.policy=delete'],
    ['an end to keeping', { 'retention.ms': '604800000' }, 'retention.ms=-1'],
    ['an end by size', { 'retention.bytes': '1000000000' }, 'retention.bytes=-1'],
    ['the clocks of writers', { 'message.timestamp.type': 'CreateTime' }, 'message.timestamp.type=LogAppendTime'],
    ['small messages', { 'max.message.bytes': '500000' }, 'max.message.bytes=1048576'],
    ['records that are packed anew', { 'compression.type': 'gzip' }, 'compression.type=producer'],
    ['one copy that is not on the disk', { 'flush.messages': '1000' }, 'flush.messages=1'],
  ])('%s', async (_, changed, remedy) => {
    await makeTopic(changed);
    const message = expect.stringContaining(`set ${remedy} (found`);
    await expect(open()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message });
    // It was left as it was: there is not even a first record.
    expect((await admin.fetchTopicOffsets(topic)).map(({ offset }) => offset)).toEqual(['0', '0']);
  });
});

it('takes a topic that an operator made as it should be', async () => {
  await makeTopic({});
  const log = await open();
  expect(await log.end(1)).toBe(1);
  await log.close();
});

it('names all that is wrong at once', async () => {
  await makeTopic({ 'cleanup.policy': 'compact', 'retention.ms': '1000' });
  const message = expect.stringMatching(
    /set cleanup\.policy=delete,retention\.ms=-1 \(found cleanup\.policy=compact,retention\.ms=1000\)/,
  );
  await expect(open()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message });
});

it('refuses another number of partitions than the log was made with, and says which', async () => {
  await (await open(2)).close();
  const message = `the topic ${topic} has 2 partitions and 3 are configured: configure partitions=2; the number is fixed when the log is made`;
  await expect(open(3)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message });
});

it('refuses a topic that holds something else, and adds nothing to it', async () => {
  await makeTopic({});
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [0, 1].map((partition) => ({ value: 'an order of shoes', partition })) });
  await producer.disconnect();
  const message = expect.stringContaining('holds records of something else');
  await expect(open()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message });
  expect((await admin.fetchTopicOffsets(topic)).map(({ offset }) => offset)).toEqual(['1', '1']);
});

it('refuses more copies than there are brokers, and a name that is none', async () => {
  const copies = openKafkaEventLog({ brokers, topic, partitions: 1, replication: 3 });
  await expect(copies).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('3 copies') });
  const named = openKafkaEventLog({ brokers, topic: 'not a name', partitions: 1 });
  await expect(named).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('not a name') });
});

it('says UNAVAILABLE when no broker answers', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => void server.close(resolve));
  const refused = openKafkaEventLog({ brokers: [`127.0.0.1:${port}`], topic, partitions: 1 });
  const message = expect.stringContaining(`127.0.0.1:${port}`);
  await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', message });
});

it('refuses a server that is too old, and says which is not', () => {
  const versions = Object.fromEntries([0, 1, 2, 3, 19, 32].map((key) => [key, { minVersion: 0, maxVersion: 20 }]));
  checkVersions(versions, 'kafka:9092');
  const old = { ...versions, 1: { minVersion: 0, maxVersion: 7 } };
  expect(() => checkVersions(old, 'kafka:9092')).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(
        /kafka:9092 speaks versions 0 to 7 of Fetch, and version 11 is needed: run Kafka 2\.3/,
      ),
    }),
  );
});

it('gives two processes that make one log at once the same log, with rules first in every partition', async () => {
  const logs = await Promise.all([open(4), open(4), open(4)]);
  expect(new Set(logs.map(({ id }) => id)).size).toBe(1);
  for (let partition = 0; partition < 4; partition += 1) expect(await logs[0]?.end(partition)).toBe(1);
  await Promise.all(logs.map((log) => log.close()));
});
