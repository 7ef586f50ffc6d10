import { createRequire } from 'node:module';
import kafkajs, { type Kafka } from 'kafkajs';
import { assert } from '#core/error';
import { FrameSocket } from './frame-socket.js';
import { decodeFetchAnswer, type FetchAnswer } from './fetch-codec.js';

/**
 * What we take from inside kafkajs 2.2.4. Its public consumer reads by group: members, rebalances, and a silent jump when
 * an offset is out of range. A log is read by partition and offset, which kafkajs does inside and does not offer.
 * @see event-log 4.3
 */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  getNodeIds(): readonly (string | number)[];
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[];
  findBroker(node: { nodeId: number }): Promise<Broker>;
}

export interface PartitionMetadata {
  readonly partitionId: number;
  /** The broker that leads it, -1 when none does. */
  readonly leader: number;
}

export interface Broker {
  readonly versions: ApiVersions;
  readonly connectionPool: { getConnection(index: number): Promise<Connection> };
  listOffsets(question: OffsetQuestion): Promise<{ readonly responses: readonly OffsetAnswer[] }>;
  disconnect(): Promise<void>;
}

/** By API key, the versions a broker speaks. */
export type ApiVersions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>;

interface Connection {
  send<T>(call: {
    readonly request: unknown;
    readonly response: { decode(bytes: Buffer): Promise<T>; parse(decoded: T): Promise<T> };
  }): Promise<T>;
}

interface OffsetQuestion {
  readonly isolationLevel: number;
  readonly topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
}

interface OffsetAnswer {
  readonly topic: string;
  readonly partitions: readonly { partition: number; offset: string }[];
}

export interface FetchQuestion {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { partition: number; fetchOffset: number; maxBytes: number }[];
  }[];
}

const internal = createRequire(import.meta.url);

const keepAliveMs = 60_000;

/** The client of one process, quiet: what goes wrong comes back as an error. @see event-log 4.4 */
export function newKafka(brokers: readonly string[], clientId: string): Kafka {
  quietTimers();
  return new kafkajs.Kafka({
    clientId,
    brokers: [...brokers],
    socketFactory: ({ host, port, onConnect }) => {
      const socket = new FrameSocket();
      socket.setKeepAlive(true, keepAliveMs);
      return socket.connect({ host, port }, onConnect);
    },
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
}

/** Connections of its own to the brokers of `kafka`, for what the public client cannot do. */
export function newCluster(kafka: Kafka): Cluster {
  const name = Object.getOwnPropertySymbols(kafka).find(({ description }) => description?.endsWith(':createCluster'));
  assert(name, 'kafkajs 2.2.4 is needed, and this one makes its cluster differently');
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[name] as (o: object) => Cluster;
  // High watermark, not the last stable offset: there are no transactions on the log.
  return create({ allowAutoTopicCreation: false, metadataMaxAge: 300_000, isolationLevel: 0 });
}

/**
 * One fetch on one of the two connections that kafkajs keeps to a broker. A broker answers one request at a time on a
 * connection, so what may wait for records must not stand before what should be answered at once.
 */
export async function fetchFrom(
  broker: Broker,
  connection: 'at once' | 'may wait',
  question: FetchQuestion,
): Promise<FetchAnswer> {
  const request = fetchRequest({ replicaId: -1, isolationLevel: 0, ...question });
  const to = await broker.connectionPool.getConnection(connection === 'at once' ? 0 : 1);
  return to.send({ request, response: fetchResponse });
}

const fetchRequest = internal('kafkajs/src/protocol/requests/fetch/v11/request') as (question: object) => unknown;
const fetchResponse = {
  decode: async (bytes: Buffer) => decodeFetchAnswer(bytes),
  parse: async (answer: FetchAnswer) => answer,
};

/** Of kafkajs' queue of the requests on one connection, what is replaced. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}

/**
 * kafkajs looks for pending requests by a timer that it starts again and again with a delay in the past, about a
 * thousand times a second on each connection; Node 24 warns of each. Nothing is to be looked for when nothing is pending.
 * @see event-log 4.3
 */
function quietTimers(): void {
  const queue = (internal('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue & Patched })
    .prototype;
  if (queue[patched]) return;
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function scheduleIfPending() {
    if (this.pending.length > 0) schedule.call(this);
  };
  queue[patched] = true;
}

const patched = Symbol('timers are quiet');
interface Patched {
  [patched]?: boolean;
}
