import { setTimeout as sleep } from 'node:timers/promises';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { ask, createRepository, until } from '../cluster/gateway-client.js';
import { collect, randomBytesOf } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import { faultRow, seed } from './fault-row.js';
import { FaultWorld, type Place } from './fault-world.js';
import { S3Refusals } from './s3-refusals.js';

let world: FaultWorld;
beforeAll(async () => (world = await FaultWorld.start()), 300_000);
afterAll(() => world?.stop(), 60_000);

const gateways: readonly Place[] = ['gateway-1', 'gateway-2'];
const linksOf = (places: readonly Place[]) => places.flatMap((place) => world.links(place, 's3'));
const repo = 'large';

/** A layer of several parts, sent until it is there, through one gateway or the other. */
async function commitLarge(name: string, sizeBytes = 20 << 20): Promise<void> {
  const body = new Uint8Array(layer({ [name]: randomBytesOf(name.length + seed, sizeBytes) }).tar);
  const headers = { 'content-type': 'application/x-tar', 'idempotency-key': name };
  let tries = 0;
  await until(
    `${name} is written`,
    async () => {
      const url = world.gateways[(tries += 1) % world.gateways.length];
      if (url === undefined) return false;
      const made = await createRepository(url, repo);
      if (![200, 201].includes(made.status)) return false;
      const path = `/repos/${repo}/branches/main/commits?message=${name}`;
      const { status, code } = await ask(url, path, { method: 'POST', headers, body });
      // What is no fault of the store's is one of ours.
      if (status !== 201) expect([0, 429, 503]).toContain(code === null ? 0 : status);
      return status === 201;
    },
    180_000,
  );
}

/** Uploads that were begun and neither completed nor aborted, and a sweep of them as if it were late. */
async function sweptUploads(): Promise<number> {
  const { prefix, ...options } = { ...world.s3.options, prefix: world.topic };
  const store = await openS3BlobStore({ ...options, prefix, sweepAfterMs: 3_000 });
  try {
    await until('what was begun is old', async () => (await collect(store.staged())).every(({ inUse }) => !inUse));
    const swept = await store.sweepStaging();
    expect(await collect(store.staged())).toEqual([]);
    return swept;
  } finally {
    await store.close();
  }
}

describe(`an object store that fails under load (VARVE_TEST_SEED=${seed})`, () => {
  it('is killed while small and large layers come in', async () => {
    const seen = await faultRow(world, 's3-killed', async ({ random }) => {
      const large = commitLarge('killed');
      for (let round = 0; round < 2; round += 1) {
        await sleep(200 + random() * 800);
        world.s3.signal('SIGKILL');
        await sleep(random() * 2_000);
        await world.s3.restart();
        await sleep(1_000);
      }
      await large;
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('hangs for some seconds, and goes on', async () => {
    const seen = await faultRow(world, 's3-frozen', async ({ random }) => {
      const large = commitLarge('frozen');
      await sleep(random() * 500);
      world.s3.signal('SIGSTOP');
      await sleep(5_000 + random() * 5_000);
      world.s3.signal('SIGCONT');
      await large;
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('refuses a third of what it is asked with 503', async () => {
    const store = await S3Refusals.before(world.s3.options.endpoint);
    /** Connections that are open would go on to where they went. */
    const aim = (port: number) => {
      for (const link of linksOf(gateways)) link.aimAt(port);
      for (const link of linksOf(gateways)) link.reset();
    };
    try {
      await faultRow(world, 's3-503', async ({ load, random }) => {
        store.refuses = () => random() < 0.3;
        aim(store.port);
        await Promise.all([load.more(30), commitLarge('refused')]);
      });
    } finally {
      aim(Number(new URL(world.s3.options.endpoint).port));
      await store.close();
    }
    expect(store.refused).toBeGreaterThan(5);
  });

  it('is reached by connections that end in the middle of a part, or say nothing more', async () => {
    let torn = 0;
    await faultRow(world, 's3-torn', async ({ load, random }) => {
      for (const link of linksOf(gateways)) {
        link.rule(() => {
          if (random() < 0.997) return 'pass';
          torn += 1;
          return 'tear';
        });
      }
      await Promise.all([load.more(20), commitLarge('torn')]);
      for (const link of linksOf(gateways)) link.silence();
      await sleep(6_000);
      for (const link of linksOf(gateways)) link.heal();
      await commitLarge('afterwards', 6 << 20);
    });
    expect(torn).toBeGreaterThan(0);
  });

  it.each([
    ['in the middle of an upload', 'gateway-killed-uploading', /^PUT [^ ]*partNumber=2/],
    ['when it completes an upload', 'gateway-killed-completing', /^POST [^ ]*uploadId=/],
  ])('keeps nothing half of a gateway that is killed %s, and its leftovers are swept', async (_, row, moment) => {
    let killed: Promise<void> | undefined;
    await faultRow(world, row, async () => {
      for (const place of gateways) {
        const [link] = world.links(place, 's3');
        link?.rule(({ direction, bytes }) => {
          if (killed || direction !== 'request' || !moment.test(bytes.toString('latin1', 0, 2_000))) return 'pass';
          killed = world.kill(place);
          return 'pass';
        });
      }
      await commitLarge(row);
      await killed;
      await world.heal();
    });
    expect(killed).toBeDefined();
    await sweptUploads();
  });
});
