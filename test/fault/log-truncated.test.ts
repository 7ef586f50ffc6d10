import { randomBytes } from 'node:crypto';
import { closeSync, copyFileSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newKafka } from '#adapters/kafka/kafka-client';
import { openRedisGraphStore } from '#adapters/redis/redis-graph-store';
import { ask, until } from '../cluster/gateway-client.js';
import { checkAfterHealing } from './check-after-healing.js';
import { seed } from './fault-row.js';
import { brokerCount, FaultWorld, type Place } from './fault-world.js';
import { Load } from './load.js';

const projectors: readonly Place[] = ['projector-1', 'projector-2'];
const brokers = Array.from({ length: brokerCount }, (_, broker) => broker);

let world: FaultWorld;
beforeAll(async () => (world = await FaultWorld.start({ partitions: 1, env: { VARVE_HALT_SECONDS: '2' } })), 240_000);
afterAll(() => world?.stop(), 60_000);

const segment = (broker: number) => join(world.kafka.dataFolder(broker), `${world.topic}-0`, `${'0'.repeat(20)}.log`);

/** Where the batches of a segment begin; after the last one, its end. */
function batchesOf(bytes: Buffer): number[] {
  const starts = [0];
  for (let at = 0; at + 12 <= bytes.length && bytes.readInt32BE(at + 8) > 0;)
    starts.push((at += 12 + bytes.readInt32BE(at + 8)));
  return starts;
}

/** As a disk that forgets what it had said to have: the last batches are gone from every copy. */
function cutTail(batches: number): void {
  for (const broker of brokers) {
    copyFileSync(segment(broker), join(world.folder, `kept-${broker}`));
    const file = openSync(segment(broker), 'r+');
    ftruncateSync(file, batchesOf(readFileSync(segment(broker))).at(-1 - batches));
    closeSync(file);
  }
}

function bringTailBack(): void {
  for (const broker of brokers) copyFileSync(join(world.folder, `kept-${broker}`), segment(broker));
}

async function graphOffset(): Promise<number> {
  const options = { ...world.redis.address, prefix: `${world.topic}:`, partitionCount: 1 };
  const graph = await openRedisGraphStore(options);
  try {
    return (await graph.checkpoint(0)).offset;
  } finally {
    await graph.close();
  }
}

async function expectHalted(): Promise<void> {
  for (const place of projectors) {
    expect(await world.process(place).ended()).toBe(7);
    expect(world.process(place).output()).toContain('LOG_TRUNCATED');
  }
}

it(`a log that lost its end halts every projector, also when it has grown again; with its end back all is whole (VARVE_TEST_SEED=${seed})`, async () => {
  const gateways = () => world.gateways;
  const load = await Load.start({ name: 'log-truncated', seed, folder: world.folder, gateways });
  await load.more(40);
  await load.stop();
  const before = await graphOffset();
  const position = load.positionOf(load.repos[0] as string);

  await world.kafka.kill();
  cutTail(5);
  await world.kafka.restart();
  await expectHalted();
  expect(await graphOffset()).toBe(before);

  // A gateway has nobody to project for it, and takes no write for done.
  const write = await ask(world.url('gateway-1'), `/repos/${encodeURIComponent(load.repos[0] as string)}/refs/x`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: 'main' }),
  });
  expect(write.status).toBeGreaterThanOrEqual(400);
  // It is longer again than the graph, with other records at the end: a program that does not look.
  const producer = newKafka(world.kafka.brokers, 'stranger').producer();
  await producer.connect();
  const messages = Array.from({ length: 20 }, () => ({ value: randomBytes(40), partition: 0 }));
  await producer.send({ topic: world.topic, acks: -1, messages });
  await producer.disconnect();
  // Whether it is ready for a moment or not at all.
  await Promise.allSettled(projectors.map((place) => world.startProcess(place)));
  await expectHalted();
  expect(await graphOffset()).toBe(before);

  await world.kafka.kill();
  bringTailBack();
  await world.kafka.restart();
  await world.heal();
  await until('the old position is there', async () => {
    const headers = { 'varve-min-position': position };
    return (await ask(world.url('gateway-1'), '/repos', { headers })).status === 200;
  });
  const seen = await checkAfterHealing(world, load);
  expect(seen.records).toBeGreaterThanOrEqual(before + 1);
});
