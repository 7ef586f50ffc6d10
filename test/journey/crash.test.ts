import { setTimeout as delay } from 'node:timers/promises';
import type { VarveClient } from '#client/client';
import { collect, collectBytes } from '../fixture/bytes-random.js';
import { readTar } from '#tar/read-tar';
import { type Workspace, workspace } from './harness/archives.js';
import { branchWriter, clientOf, type CrashWriter, fileOf, loadWriter } from './harness/crash-writer.js';
import { isCluster, patience } from './harness/mode.js';
import { randomOf } from './harness/random.js';
import { type Server, startServer } from './harness/server.js';
import { storedIn } from './harness/stored.js';

/** Each takes a start of everything. */
const kills = isCluster ? 5 : 12;
const repo = 'crash/app';
const seed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000);

let work: Workspace;
let server: Server | undefined;
beforeAll(async () => {
  work = await workspace();
});
afterAll(async () => {
  await server?.kill();
  await work?.remove();
});

it(
  `keeps what it acknowledged and nothing half, over ${kills} kills at random instants (VARVE_TEST_SEED=${seed})`,
  async () => {
    const random = randomOf(seed);
    const branches = ['one', 'two', 'three'].map((branch, i) => ({ branch, seed: seed + i * 7919 }));
    const writers = branches.map((one) => branchWriter(repo, one.branch, one.seed));
    const loader = loadWriter('crash/load', seed + 104_729);
    const data = `${work.path}/data`;

    server = await startServer({ data });
    const setUp = clientOf(server.url);
    await setUp.createRepository(repo);
    for (const { branch } of branches)
      await setUp.moveRef(repo, `refs/heads/${branch}`, { to: 'main', operation: 'branch' });
    setUp.close();

    for (let kill = 0; kill < kills; kill++) {
      const running = [...writers, loader].map((writer) => writer.run(server!.url));
      await delay(30 + random() * 400);
      await server.kill();
      await Promise.all(running);

      server = await startServer({ data });
      expect((await storedIn(data)).staging).toEqual([]);
      const client = clientOf(server.url);
      for (const [i, writer] of writers.entries()) await expectBranch(client, writer, branches[i]!);
      await expectLoads(client, loader);
      for (const writer of [...writers, loader]) await writer.settle(server.url);
      for (const [i, writer] of writers.entries())
        expect(await messagesOf(client, branches[i]!.branch)).toEqual(namesOf(writer));
      client.close();
    }

    const client = clientOf(server.url);
    const state = await client.state();
    const rebuilt = await client.rebuild();
    expect(rebuilt).toMatchObject({ sameAsBefore: true, stateDigest: state.partitions[0]?.stateDigest });
    expect((await storedIn(data)).staging).toEqual([]);
    for (const [i, writer] of writers.entries()) await expectFiles(client, writer, branches[i]!);
    const written = [...writers, loader].reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
    // Slow machines write less between two kills; a run that wrote nearly nothing has shown nearly nothing.
    expect(written).toBeGreaterThan(kills);
    client.close();
  },
  120_000 * patience,
);

/** The branch is what was acknowledged, or that and all of the one write without an answer. */
async function expectBranch(client: VarveClient, writer: CrashWriter, { branch }: { branch: string }): Promise<void> {
  const expected = namesOf(writer);
  const withLast = writer.inFlight ? [...expected, writer.inFlight.name] : expected;
  const found = await messagesOf(client, branch);
  expect([expected, withLast]).toContainEqual(found);
  const acknowledged = writer.acknowledged.at(-1);
  const ids = (await collect(client.commits(repo, { rev: branch }))).map(({ id }) => id);
  if (acknowledged) expect(ids).toContain(acknowledged.commit);
  // Whichever it is, all of its bytes are there.
  const { download } = await client.rootfs(repo, branch);
  expect((await collectBytes(download.chunks())).length).toBe(download.lengthBytes);
}

/** Every acknowledged load is there with its tag; the one without an answer is there whole, or not at all. */
async function expectLoads(client: VarveClient, loader: CrashWriter): Promise<void> {
  const names = new Set((await client.repositories()).map(({ repo: name }) => name));
  for (const { name, commit } of loader.acknowledged) {
    expect(names).toContain(name);
    expect((await client.ref(name, 'refs/tags/latest')).commit).toBe(commit);
  }
  const last = loader.inFlight?.name;
  if (last !== undefined && names.has(last)) {
    const { download } = await client.rootfs(last, 'latest');
    expect((await collectBytes(download.chunks())).length).toBe(download.lengthBytes);
  }
  const known = new Set([repo, ...loader.acknowledged.map(({ name }) => name), ...(last === undefined ? [] : [last])]);
  expect([...names].filter((name) => !known.has(name))).toEqual([]);
}

/** At the end, byte for byte: every commit's file stands in the tree. */
async function expectFiles(
  client: VarveClient,
  writer: CrashWriter,
  { branch, seed: own }: { branch: string; seed: number },
): Promise<void> {
  const { download } = await client.rootfs(repo, branch);
  const files = new Map<string, Buffer>();
  for await (const entry of readTar(download.chunks()))
    files.set(entry.path.toString(), await collectBytes(entry.body()));
  expect([...files.keys()].toSorted()).toEqual(namesOf(writer).toSorted());
  for (const name of namesOf(writer)) {
    const number = Number(name.slice(branch.length + 1));
    expect(files.get(name)?.equals(fileOf(own, number))).toBe(true);
  }
}

function namesOf(writer: CrashWriter): string[] {
  return writer.acknowledged.map(({ name }) => name);
}

/** The messages of a branch, oldest first, without genesis. */
async function messagesOf(client: VarveClient, branch: string): Promise<string[]> {
  const commits = await collect(client.commits(repo, { rev: branch }));
  return commits
    .map(({ message }) => message)
    .slice(0, -1)
    .toReversed();
}
