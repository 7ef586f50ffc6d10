import { setTimeout as sleep } from 'node:timers/promises';
import { ask, commitFile, createRepository, until } from '../cluster/gateway-client.js';
import { faultRow, seed } from './fault-row.js';
import { FaultWorld, type Place } from './fault-world.js';
import { produceKey } from './kafka-frames.js';
import type { Rule } from './link.js';

let world: FaultWorld;
beforeAll(async () => (world = await FaultWorld.start()), 240_000);
afterAll(() => world?.stop(), 60_000);

const gateways: readonly Place[] = ['gateway-1', 'gateway-2'];
const projectors: readonly Place[] = ['projector-1', 'projector-2'];
const linksOf = (places: readonly Place[]) => places.flatMap((place) => world.links(place, 'kafka'));
const cut = (places: readonly Place[]) => linksOf(places).forEach((link) => link.cut());
const silence = (places: readonly Place[]) => linksOf(places).forEach((link) => link.silence());
const heal = (places: readonly Place[]) => linksOf(places).forEach((link) => link.heal());
const rule = (places: readonly Place[], one: Rule) => linksOf(places).forEach((link) => link.rule(one));

describe(`the way to Kafka fails under load (VARVE_TEST_SEED=${seed})`, () => {
  it('loses half of the answers to appends', async () => {
    let lost = 0;
    await faultRow(world, 'produce-answers-lost', async ({ load, random }) => {
      rule(gateways, ({ direction, key }) => {
        if (direction !== 'answer' || key !== produceKey || random() < 0.5) return 'pass';
        lost += 1;
        return 'break';
      });
      await load.more(60);
    });
    expect(lost).toBeGreaterThan(5);
  });

  it('tears one frame in twenty-five in the middle, in either direction', async () => {
    let torn = 0;
    await faultRow(world, 'frames-torn', async ({ load, random }) => {
      rule([...gateways, ...projectors], () => {
        if (random() < 0.96) return 'pass';
        torn += 1;
        return 'tear';
      });
      await load.more(40);
    });
    expect(torn).toBeGreaterThan(5);
  });

  it('takes up to half a second longer for each frame', async () => {
    const seen = await faultRow(world, 'frames-delayed', async ({ load, random }) => {
      for (const link of linksOf([...gateways, ...projectors])) link.delay(() => random() * 500);
      await load.more(30);
    });
    expect(seen.operations).toBeGreaterThan(90);
  });

  it('ends for one gateway, with a reset and then without a word, while the other goes on', async () => {
    const seen = await faultRow(world, 'gateway-cut-off', async ({ load }) => {
      cut(['gateway-1']);
      await load.more(20);
      heal(['gateway-1']);
      silence(['gateway-1']);
      await load.more(20);
    });
    expect(seen.operations).toBeGreaterThan(100);
  });

  it('ends for both projectors, so that nothing is learned of what is appended', async () => {
    const seen = await faultRow(world, 'projectors-cut-off', async () => {
      cut(projectors);
      await sleep(7_000);
      heal(projectors);
      silence(projectors);
      await sleep(7_000);
    });
    expect(seen.operations).toBeGreaterThan(60);
  });

  it('ends and comes back for anybody at any time', async () => {
    const seen = await faultRow(world, 'links-at-random', async ({ random }) => {
      const all = linksOf([...gateways, ...projectors]);
      for (const end = Date.now() + 15_000; Date.now() < end; await sleep(random() * 1_000)) {
        const link = all[Math.floor(random() * all.length)];
        const what = random();
        if (what < 0.3) link?.cut();
        else if (what < 0.5) link?.silence();
        else if (what < 0.7) link?.reset();
        else link?.heal();
      }
    });
    expect(seen.operations).toBeGreaterThan(60);
  });
});

describe(`an append that arrives after its gateway has died (VARVE_TEST_SEED=${seed})`, () => {
  it('does no harm among many others', async () => {
    let released = 0;
    await faultRow(world, 'append-after-death', async ({ load }) => {
      const holding = world.links('gateway-1', 'kafka').map((link) => link.hold(produceKey));
      const held = () => holding.flatMap((each) => each.held);
      await until('a request is held', async () => held().length > 0);
      await world.kill('gateway-1');
      await load.more(30);
      for (const late of held()) await late.release();
      released = held().length;
      await load.more(10);
    });
    expect(released).toBeGreaterThan(0);
  });

  /** One move under a key that gateway 1 appends and dies over, with the ref as it was before. */
  async function heldMove(repo: string) {
    expect((await createRepository(world.url('gateway-1'), repo)).status).toBe(201);
    const commits = [];
    for (const name of ['first', 'second']) commits.push((await commitFile(world.url('gateway-1'), repo, name)).json);
    const [old, tip] = commits as { commit: string; version: number }[];
    const path = `/repos/${encodeURIComponent(repo)}/refs/${encodeURIComponent('refs/heads/main')}`;
    const put = (place: Place, key: string) =>
      ask(world.url(place), path, {
        method: 'PUT',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': key,
          'if-match': `"${tip?.commit}.${tip?.version}"`,
        },
        body: JSON.stringify({ to: old?.commit, mode: 'force', reason: key }),
      });
    const holding = world.links('gateway-1', 'kafka').map((link) => link.hold(produceKey));
    const asked = put('gateway-1', 'late');
    await until('the append is held', async () => holding.some(({ held }) => held.length > 0));
    await world.kill('gateway-1');
    expect((await asked).status).toBe(0);
    const release = async () => {
      for (const { held } of holding) for (const late of held) await late.release();
    };
    const read = () => ask(world.url('gateway-2'), path);
    return { put, read, release, old, tip };
  }

  it('is refused when the ref has moved meanwhile, even if it came back to the commit it had', async () => {
    const { put, read, release, tip, old } = await heldMove('late/refused');
    const moved = await put('gateway-2', 'meanwhile');
    expect(moved).toMatchObject({ status: 200, json: { commit: old?.commit } });
    const back = await ask(world.url('gateway-2'), '/repos/late%2Frefused/refs/refs%2Fheads%2Fmain', {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'if-match': `"${old?.commit}.${String(moved.json['version'])}"` },
      body: JSON.stringify({ to: tip?.commit, mode: 'force', reason: 'back' }),
    });
    expect(back).toMatchObject({ status: 200, json: { commit: tip?.commit } });
    await release();
    // It is asked for again: this is the one outcome it has, whichever copy was first.
    expect(await put('gateway-2', 'late')).toMatchObject({ code: 'REF_STALE' });
    expect((await read()).json).toMatchObject({ commit: tip?.commit, version: back.json['version'] });
    await world.heal();
  });

  it('takes effect once when nothing has moved, and says so to whoever asks again', async () => {
    const { put, read, release, old } = await heldMove('late/accepted');
    await release();
    await until('it is there', async () => (await read()).json['commit'] === old?.commit);
    const again = await put('gateway-2', 'late');
    expect(again).toMatchObject({ status: 200, json: { commit: old?.commit, replayed: true } });
    expect((await read()).json).toMatchObject({ commit: old?.commit, version: again.json['version'] });
    await world.heal();
  });
});
