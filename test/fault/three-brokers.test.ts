import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { ask } from '../cluster/gateway-client.js';
import { faultRow, type Hit, seed } from './fault-row.js';
import { brokerCount, FaultWorld } from './fault-world.js';

const brokers = Array.from({ length: brokerCount }, (_, broker) => broker);

/** The broker, counted from 0, that leads the partition of the first repository. */
async function leaderOf({ world, load }: Hit): Promise<number> {
  const partition = partitionOf(load.repos[0] as RepositoryName, world.partitions);
  const { topics } = await world.kafka.asOperator((admin) => admin.fetchTopicMetadata({ topics: [world.topic] }));
  const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
  return (found?.leader as number) - 1;
}

/** The broker that leads the controllers, as the first one knows. */
function controllerOf(world: FaultWorld): number {
  const file = join(world.kafka.dataFolder(0), '__cluster_metadata-0', 'quorum-state');
  return (JSON.parse(readFileSync(file, 'utf8')) as { leaderId: number }).leaderId - 1;
}

type Role = 'leader' | 'follower' | 'controller';

async function brokerFor(hit: Hit, role: Role): Promise<number> {
  if (role === 'controller') return controllerOf(hit.world);
  const leader = await leaderOf(hit);
  return role === 'leader' ? leader : (leader + 1 + Math.floor(hit.random() * 2)) % 3;
}

/** A branch that nobody else has to do with: its making is not taken for done, but answered 503, and why. */
async function expectUndecided({ world, load }: Hit, name: string): Promise<void> {
  const path = `/repos/${encodeURIComponent(load.repos[0] as string)}/refs/${encodeURIComponent(`refs/heads/${name}`)}`;
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ to: 'main' });
  const { status, code } = await ask(world.url('gateway-1'), path, { method: 'PUT', headers, body });
  expect({ status, code }).toEqual({ status: 503, code: expect.stringMatching(/^(OUTCOME_UNKNOWN|UNAVAILABLE)$/) });
}

const title = `one of three brokers fails under load (VARVE_TEST_SEED=${seed})`;
(brokerCount === 3 ? describe : describe.skip)(`${title}; with --brokers 3`, () => {
  let world: FaultWorld;
  beforeAll(async () => (world = await FaultWorld.start()), 300_000);
  afterAll(() => world?.stop(), 60_000);

  it.each<Role>(['leader', 'follower', 'controller'])('the %s is killed, and others go on without it', async (role) => {
    const seen = await faultRow(world, `three-${role}-killed`, async (hit) => {
      await world.kafka.kill(await brokerFor(hit, role));
      await hit.load.more(30);
    });
    expect(seen.operations).toBeGreaterThan(90);
  });

  it.each<Role>(['leader', 'controller'])('the %s hangs for longer than its session, and wakes up', async (role) => {
    const seen = await faultRow(world, `three-${role}-frozen`, async (hit) => {
      const broker = await brokerFor(hit, role);
      world.kafka.signal('SIGSTOP', broker);
      await sleep(12_000 + hit.random() * 4_000);
      await hit.load.more(10);
      world.kafka.signal('SIGCONT', broker);
    });
    expect(seen.operations).toBeGreaterThan(70);
  });

  it('the others cannot fetch from the leader: it takes nothing for stored that they do not have', async () => {
    const seen = await faultRow(world, 'three-replicas-cut-off', async (hit) => {
      const link = world.replicaLink(await leaderOf(hit));
      link.cut();
      await expectUndecided(hit, 'cut');
      link.heal();
      link.silence();
      await expectUndecided(hit, 'silent');
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('no process reaches the leader, and the brokers think that all is well', async () => {
    const seen = await faultRow(world, 'three-leader-unreachable', async (hit) => {
      const leader = await leaderOf(hit);
      for (const place of world.places) world.link(place, 'kafka', leader).cut();
      await expectUndecided(hit, 'unreachable');
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('two of three are gone: no write is taken for done, and all of them are decided afterwards', async () => {
    const seen = await faultRow(world, 'three-two-gone', async (hit) => {
      const left = Math.floor(hit.random() * 3);
      await Promise.all(brokers.filter((broker) => broker !== left).map((broker) => world.kafka.kill(broker)));
      for (const name of ['alone-1', 'alone-2', 'alone-3']) await expectUndecided(hit, name);
    });
    expect(seen.operations).toBeGreaterThan(60);
  });
});
