import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { VarveError } from '#core/error';
import type { ApiVersions } from './kafka-client.js';
import { fetchVersion } from './fetch-codec.js';
import { isKafkaError, rootOf, unavailable } from './kafka-error.js';

export interface LogTopic {
  readonly topic: string;
  readonly partitions: number;
  /** Copies of each record, when the topic is to be made. Without it: three, or as many as there are brokers. */
  readonly replication?: number | undefined;
}

/** The largest batch is 900 kB of records and what Kafka puts around them. */
const messageBytesMin = 1_000_000;
const messageBytes = 1 << 20;

/** By API key, what we speak to a broker in; these came with Kafka 2.3. */
const versionsNeeded: Readonly<Record<number, readonly [name: string, version: number]>> = {
  0: ['Produce', 7],
  1: ['Fetch', fetchVersion],
  2: ['ListOffsets', 3],
  3: ['Metadata', 6],
  19: ['CreateTopics', 3],
  32: ['DescribeConfigs', 2],
};

/** @throws CONFIG_INVALID when the server speaks no version that we do */
export function checkVersions(versions: ApiVersions, address: string): void {
  for (const [key, [name, version]] of Object.entries(versionsNeeded)) {
    const known = versions[Number(key)];
    if (known && known.minVersion <= version && version <= known.maxVersion) continue;
    const spoken = known ? `versions ${known.minVersion} to ${known.maxVersion}` : 'no version';
    const message =
      `the Kafka at ${address} speaks ${spoken} of ${name}, and version ${version} is needed: ` +
      `run Kafka 2.3 or newer (3.9 and 4.2 are tested)`;
    throw new VarveError('CONFIG_INVALID', message, { name, version, ...known });
  }
}

/**
 * Makes the topic of a log, or checks that the one that is there loses nothing: event-log 5.2. True when it was made.
 * @throws CONFIG_INVALID with what to change, UNAVAILABLE
 */
export async function makeOrCheckTopic(kafka: Kafka, addresses: readonly string[], wanted: LogTopic): Promise<boolean> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const made = await makeTopic(admin, wanted);
    if (!made) await checkTopic(admin, wanted);
    return made;
  } catch (error) {
    throw error instanceof VarveError ? error : (refusal(error, wanted) ?? unavailable(addresses, error));
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** False when the topic was there. */
async function makeTopic(admin: Admin, { topic, partitions, replication }: LogTopic): Promise<boolean> {
  // Asked first, so that who may use the topic but make none can work.
  if ((await admin.listTopics()).includes(topic)) return false;
  const copies = replication ?? Math.min(3, (await admin.describeCluster()).brokers.length);
  const config = {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(messageBytes),
    'compression.type': 'producer',
    'unclean.leader.election.enable': 'false',
    'min.insync.replicas': copies < 3 ? '1' : '2',
    // Without a second copy, what is acknowledged is on the disk.
    ...(copies === 1 && { 'flush.messages': '1' }),
  };
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  return admin.createTopics({
    topics: [{ topic, numPartitions: partitions, replicationFactor: copies, configEntries }],
    timeout: 10_000,
  });
}

async function checkTopic(admin: Admin, { topic, partitions }: LogTopic): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const found = topics.find(({ name }) => name === topic)?.partitions ?? [];
  if (found.length !== partitions) {
    const message =
      `the topic ${topic} has ${found.length} partitions and ${partitions} are configured: configure partitions=${found.length}; ` +
      `the number is fixed when the log is made`;
    throw new VarveError('CONFIG_INVALID', message, { topic, found: found.length, configured: partitions });
  }
  const copies = Math.min(...found.map(({ replicas }) => replicas.length));
  const wrong = wrongSettings(await settingsOf(admin, topic), copies);
  if (wrong.length === 0) return;
  const message =
    `the topic ${topic} would lose or change records: set ${wrong.map(({ name, wanted }) => `${name}=${wanted}`).join(',')} ` +
    `(found ${wrong.map(({ name, value }) => `${name}=${value}`).join(',')}), for example with kafka-configs.sh --alter --topic ${topic} --add-config`;
  throw new VarveError('CONFIG_INVALID', message, { topic, wrong });
}

async function settingsOf(admin: Admin, topic: string): Promise<ReadonlyMap<string, string>> {
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }];
  const answer = await admin.describeConfigs({ resources, includeSynonyms: false });
  const entries = answer.resources.flatMap(({ configEntries }) => configEntries);
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
}

interface WrongSetting {
  readonly name: string;
  readonly value: string;
  readonly wanted: string;
}

/** The settings under which a log would lose records, or come back otherwise than it was appended. @see event-log 5.2 */
export function wrongSettings(settings: ReadonlyMap<string, string>, copies: number): WrongSetting[] {
  const valueOf = (name: string) => settings.get(name) ?? 'nothing';
  const wrong: WrongSetting[] = [];
  const want = (name: string, wanted: string, isRight = (value: string) => value === wanted) => {
    if (!isRight(valueOf(name))) wrong.push({ name, value: valueOf(name), wanted });
  };
  want('cleanup.policy', 'delete');
  want('retention.ms', '-1');
  want('retention.bytes', '-1');
  want('message.timestamp.type', 'LogAppendTime');
  want('compression.type', 'producer', (value) => value === 'producer' || value === 'uncompressed');
  want('max.message.bytes', String(messageBytes), (value) => Number(value) >= messageBytesMin);
  if (copies > 1) want('unclean.leader.election.enable', 'false');
  if (copies > 2) want('min.insync.replicas', '2', (value) => Number(value) >= 2);
  if (copies === 1) want('flush.messages', '1');
  return wrong;
}

/** What the server will not do however often it is asked. */
function refusal(error: unknown, { topic, replication }: LogTopic): VarveError | undefined {
  const reasons = {
    INVALID_REPLICATION_FACTOR: `it cannot keep ${replication ?? 3} copies of a topic: run more brokers or configure fewer`,
    INVALID_TOPIC_EXCEPTION: `"${topic}" is no name for a topic`,
    TOPIC_AUTHORIZATION_FAILED: `this user may not use or make the topic ${topic}`,
    CLUSTER_AUTHORIZATION_FAILED: `this user may not make topics: make ${topic}, or let it`,
    POLICY_VIOLATION: `its policy forbids the topic ${topic}: ${rootOf(error).message}`,
  };
  for (const [type, reason] of Object.entries(reasons)) {
    if (isKafkaError(error, type))
      return new VarveError('CONFIG_INVALID', `Kafka refuses: ${reason}`, { topic }, { cause: error });
  }
  return undefined;
}
