import { randomBytes } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaServer } from '../fixture/kafka-server.js';
import { OwnRedis } from '../fixture/redis-server.js';
import { S3Server } from '../fixture/s3-server.js';
import { type AppName, AppProcess } from '../journey/harness/app-process.js';
import { freePorts } from '../fixture/free-ports.js';
import { Link } from './link.js';

/** Where a process stands: what it is, and which of them. */
export type Place = `${AppName}-${number}`;

export type ServerName = 'kafka' | 'redis' | 's3';

export interface WorldOptions {
  /** Brokers of Kafka; VARVE_TEST_BROKERS, or 1. */
  readonly brokers?: number;
  readonly partitions?: number;
  readonly places?: readonly Place[];
  /** Settings of every process. */
  readonly env?: Readonly<Record<string, string>>;
}

export const brokerCount = Number(process.env['VARVE_TEST_BROKERS'] ?? 1);

const pairs: readonly Place[] = ['gateway-1', 'gateway-2', 'projector-1', 'projector-2'];

/**
 * Servers of one test file alone, with the product's processes on them, and between each process and each server a link
 * that can fail. Nothing else is shared with anybody.
 */
export class FaultWorld {
  readonly kafka: KafkaServer;
  readonly redis: OwnRedis;
  readonly s3: S3Server;
  readonly topic = `fault-${randomBytes(6).toString('hex')}`;
  readonly places: readonly Place[];
  readonly partitions: number;
  /** Where histories lie, and what else is to be looked at after a failure. */
  readonly folder: string;
  readonly #links: ReadonlyMap<string, readonly Link[]>;
  readonly #env: Readonly<Record<string, string>>;
  readonly #processes = new Map<Place, AppProcess>();
  readonly #frozen = new Set<Place>();

  private constructor(parts: Parts) {
    ({ kafka: this.kafka, redis: this.redis, s3: this.s3, folder: this.folder } = parts);
    ({ links: this.#links, places: this.places, partitions: this.partitions, env: this.#env } = parts);
  }

  /** With every process ready. */
  static async start(options: WorldOptions = {}): Promise<FaultWorld> {
    const { brokers = brokerCount, places = pairs, partitions = 2, env = {} } = options;
    const ways = [...places, 'replica' as const];
    const ports = await freePorts(ways.length * brokers);
    const links = new Map<string, readonly Link[]>();
    const listeners: string[] = [];
    for (const [i, way] of ways.entries()) {
      const behind = ports.slice(i * brokers, (i + 1) * brokers);
      const ofWay = await Promise.all(behind.map((port) => linkTo(port, 'kafka')));
      links.set(`${way} kafka`, ofWay);
      listeners.push(ofWay.map(({ port }, broker) => `${behind[broker]}:${port}`).join(','));
    }
    const settings = { KAFKA_LINKS: listeners.slice(0, -1).join(' '), KAFKA_REPLICA_LINK: listeners.at(-1) as string };
    const [kafka, redis, s3, folder] = await Promise.all([
      KafkaServer.start(brokers, settings),
      OwnRedis.start(),
      S3Server.start('minio'),
      mkdtemp(join(tmpdir(), 'varve-fault-')),
    ]);
    for (const place of places) {
      links.set(`${place} redis`, [await linkTo(redis.port, 'bytes')]);
      links.set(`${place} s3`, [await linkTo(Number(new URL(s3.options.endpoint).port), 'bytes')]);
    }
    const world = new FaultWorld({ kafka, redis, s3, folder, links, places, partitions, env });
    try {
      await Promise.all(places.map((place) => world.startProcess(place)));
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  /** The way from a process to a server; of Kafka, to one of its brokers, counted from 0. */
  link(place: Place, server: ServerName, broker = 0): Link {
    return this.links(place, server)[broker] as Link;
  }

  links(place: Place, server: ServerName): readonly Link[] {
    return this.#links.get(`${place} ${server}`) ?? [];
  }

  /** The way on which the other brokers fetch from one of them. */
  replicaLink(broker: number): Link {
    return this.#links.get('replica kafka')?.[broker] as Link;
  }

  /** The gateways that run, or hang: a client does not know which. */
  get gateways(): readonly string[] {
    return this.places.flatMap((place) => {
      const { app, url } = this.#processes.get(place) ?? {};
      return app === 'gateway' && url !== undefined ? [url] : [];
    });
  }

  url(place: Place): string {
    return this.process(place).url as string;
  }

  process(place: Place): AppProcess {
    const running = this.#processes.get(place);
    if (running) return running;
    throw new Error(`there is no ${place}`);
  }

  isRunning(place: Place): boolean {
    return this.#processes.get(place)?.isOver === false;
  }

  /** In its place; `wrapper` is a shell line that starts `"$@"` in another way. Returns when it is ready. */
  async startProcess(place: Place, wrapper?: string): Promise<void> {
    const app = place.replace(/-\d+$/, '') as AppName;
    const started = new AppProcess({ app, env: this.settingsOf(place), wrapper });
    this.#processes.set(place, started);
    await started.ready();
  }

  /** As the kernel's out-of-memory killer would. */
  async kill(place: Place): Promise<void> {
    this.#frozen.delete(place);
    await this.process(place).end('SIGKILL');
    this.#processes.delete(place);
  }

  freeze(place: Place): void {
    this.#frozen.add(place);
    process.kill(this.process(place).pid, 'SIGSTOP');
  }

  thaw(place: Place): void {
    if (this.#frozen.delete(place)) process.kill(this.process(place).pid, 'SIGCONT');
  }

  /** Every link, process and server is there again, and every process ready. */
  async heal(): Promise<void> {
    for (const link of [...this.#links.values()].flat()) link.heal();
    for (const place of this.#frozen) this.thaw(place);
    this.redis.thaw();
    this.s3.signal('SIGCONT');
    this.kafka.signal('SIGCONT');
    await this.kafka.restartMissing();
    await Promise.all(
      this.places.map((place) => (this.isRunning(place) ? this.process(place).ready() : this.startProcess(place))),
    );
  }

  /** What the processes have said, beside the history, for who looks into a failure. */
  keepOutput(name: string): void {
    for (const [place, one] of this.#processes) writeFileSync(join(this.folder, `${name}.${place}.log`), one.output());
    for (const [broker, log] of this.kafka.logs.entries())
      copyFileSync(log, join(this.folder, `${name}.broker-${broker}.log`));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.end('SIGKILL')));
    await Promise.all([this.kafka.down(), this.redis.stop(), this.s3.end()]);
    await Promise.all([...this.#links.values()].flat().map((link) => link.close()));
  }

  /** The addresses of a process, through its own links. */
  settingsOf(place: Place): Record<string, string> {
    const [kafka, redis, s3] = (['kafka', 'redis', 's3'] as const).map((server) =>
      this.links(place, server)
        .map(({ port }) => `127.0.0.1:${port}`)
        .join(','),
    );
    const { bucket, accessKey, secretKey } = this.s3.options;
    return {
      VARVE_EVENT_LOG: `kafka://${kafka}/${this.topic}?partitions=${this.partitions}`,
      VARVE_GRAPH: `redis://${redis}?prefix=${this.topic}`,
      VARVE_BLOB_STORE: `s3://${bucket}/${this.topic}?endpoint=http://${s3}`,
      VARVE_LOG_LEVEL: 'warn',
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
      ...this.#env,
    };
  }
}

interface Parts {
  readonly kafka: KafkaServer;
  readonly redis: OwnRedis;
  readonly s3: S3Server;
  readonly folder: string;
  readonly links: ReadonlyMap<string, readonly Link[]>;
  readonly places: readonly Place[];
  readonly partitions: number;
  readonly env: Readonly<Record<string, string>>;
}

async function linkTo(port: number, speaks: 'kafka' | 'bytes'): Promise<Link> {
  const link = await Link.open(speaks);
  link.aimAt(port);
  return link;
}
