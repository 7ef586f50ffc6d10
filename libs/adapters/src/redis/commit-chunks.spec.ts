import type { CommitId } from '#core/commit';
import { type ChainId, digestOf, hexOf } from '#core/digest';
import type { CommitRow } from '#core/graph-row';
import { parseRepositoryName } from '#core/name';
import { CommitChunks, type ReadChunks } from './commit-chunks.js';
import { commitRowsPerChunk, packCommitRow } from './commit-row-codec.js';
import { PackWriter } from './packed.js';

const repo = parseRepositoryName('team/app');
const rowAt = (seq: number): CommitRow => ({
  repo,
  id: hexOf(digestOf(`commit ${seq}`)) as CommitId,
  seq,
  parents: seq === 0 ? [] : [seq - 1],
  depth: seq,
  jump: Math.floor(seq / 2),
  stackLayers: 1,
  chainId: digestOf(`chain ${seq}`) as ChainId,
  ownBytes: seq * 3,
  virtualBytes: 2 ** 40 + seq,
  offset: seq,
});

/** A repository of so many commits, and which chunks were read of it. */
function stored(commits: number): { readonly read: ReadChunks; readonly asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    read: async (_repo, chunks) => {
      asked.push(...chunks);
      return chunks.map((chunk) => {
        const rows = new PackWriter();
        const end = Math.min((chunk + 1) * commitRowsPerChunk, commits);
        for (let seq = chunk * commitRowsPerChunk; seq < end; seq += 1) packCommitRow(rows, rowAt(seq));
        const bytes = rows.done();
        return bytes.length > 0 ? { rows: bytes, more: new Map() } : undefined;
      });
    },
  };
}

describe('CommitChunks', () => {
  it('finds every commit, however little it may keep', async () => {
    const count = 200 * commitRowsPerChunk;
    const chunks = new CommitChunks(stored(count).read, 0);
    for (let n = 0; n < 3_000; n += 1) {
      const seq = (n * 7_919) % count;
      expect(await chunks.at(repo, seq)).toEqual(rowAt(seq));
    }
  });

  it('finds them for many who ask at once', async () => {
    const count = 300 * commitRowsPerChunk;
    const chunks = new CommitChunks(stored(count).read, 0);
    const seqs = Array.from({ length: 1_000 }, (_, n) => (n * 104_729) % count);
    expect(await Promise.all(seqs.map((seq) => chunks.at(repo, seq)))).toEqual(seqs.map(rowAt));
  });

  it('reads ahead of a walk, and nothing twice', async () => {
    const { read, asked } = stored(100 * commitRowsPerChunk);
    const chunks = new CommitChunks(read, 1 << 30);
    for (let seq = 100 * commitRowsPerChunk - 1; seq >= 0; seq -= 1) await chunks.at(repo, seq);
    expect(asked.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, chunk) => chunk));
  });

  it('looks again for what was not there, and for all when it was told to', async () => {
    let commits = 5;
    const asked: number[] = [];
    const chunks = new CommitChunks(
      (name, numbers) => (asked.push(...numbers), stored(commits).read(name, numbers)),
      0,
    );
    expect(await chunks.at(repo, 4)).toEqual(rowAt(4));
    expect(await chunks.at(repo, 5)).toBeUndefined();
    commits = 6;
    expect(await chunks.at(repo, 5)).toEqual(rowAt(5));
    const before = asked.length;
    await chunks.at(repo, 5);
    expect(asked.length).toBe(before);
    chunks.clear();
    commits = 5;
    expect(chunks.now(repo, 4)).toBeUndefined();
    expect(await chunks.at(repo, 5)).toBeUndefined();
  });
});
