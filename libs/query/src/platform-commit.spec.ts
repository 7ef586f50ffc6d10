import type { CommitId } from '#core/commit';
import type { CommitRow } from '#core/graph-row';
import { parsePlatform } from '#core/manifest';
import type { RepositoryName } from '#core/name';
import { type MemoryHistory, openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { commitForTree } from './platform-commit.js';

let history: MemoryHistory;
let repo: RepositoryName;
beforeEach(async () => {
  history = openMemoryHistory();
  repo = await history.create('app');
});
afterEach(() => history.close());

const built = (platform: string): Promise<CommitId> =>
  history.commit(repo, { platform: parsePlatform(platform), layers: [platform] });

async function indexOf(...platforms: readonly string[]): Promise<CommitRow> {
  const index = [];
  for (const text of platforms) index.push({ platform: parsePlatform(text), commit: await built(text) });
  return rowOf(await history.commit(repo, { index }));
}

async function rowOf(id: CommitId): Promise<CommitRow> {
  const row = await history.graph.commit(repo, id);
  if (!row) throw new Error(`${id} is not there`);
  return row;
}

const asked = async (row: CommitRow, platform: string | null): Promise<string> =>
  (await commitForTree(history.graph, row, platform === null ? null : parsePlatform(platform))).id;

it('is the commit itself where it is one image, whether it says a platform or not', async () => {
  const row = await rowOf(await built('linux/amd64'));
  expect(await asked(row, null)).toBe(row.id);
  expect(await asked(row, 'linux/amd64')).toBe(row.id);
  const empty = await rowOf(await history.commit(repo, { message: 'no layers, no platform' }));
  expect(await asked(empty, 'linux/s390x')).toBe(empty.id);
});

it('is never an image of another platform', async () => {
  const row = await rowOf(await built('linux/amd64'));
  await expect(asked(row, 'linux/arm64')).rejects.toMatchObject({
    code: 'COMMIT_UNKNOWN',
    detail: { platforms: ['linux/amd64'] },
  });
});

it('is the platform that is asked for, or the only one', async () => {
  const two = await indexOf('linux/amd64', 'linux/arm64/v8');
  expect(await asked(two, 'linux/arm64')).toBe(await built('linux/arm64/v8'));
  expect(await asked(two, 'linux/amd64')).toBe(await built('linux/amd64'));
  expect(await asked(await indexOf('linux/riscv64'), null)).toBe(await built('linux/riscv64'));
});

it('lists the platforms when it cannot tell, or has none like it', async () => {
  const row = await indexOf('linux/arm/v6', 'linux/arm/v7');
  await expect(asked(row, null)).rejects.toMatchObject({
    code: 'REVISION_AMBIGUOUS',
    detail: { platforms: ['linux/arm/v6', 'linux/arm/v7'] },
  });
  await expect(asked(row, 'linux/arm')).rejects.toMatchObject({ code: 'REVISION_AMBIGUOUS' });
  expect(await asked(row, 'linux/arm/v7')).toBe(await built('linux/arm/v7'));
  await expect(asked(row, 'linux/amd64')).rejects.toMatchObject({
    code: 'COMMIT_UNKNOWN',
    detail: { platforms: ['linux/arm/v6', 'linux/arm/v7'] },
  });
});
