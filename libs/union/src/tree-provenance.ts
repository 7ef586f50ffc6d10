import { setImmediate } from 'node:timers/promises';
import type { ChainId, Digest } from '#core/digest';
import { isVarveError } from '#core/error';
import type { BlobStore, StoredDerived } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { formatOf, type Orphan, type Provenance } from '#ports/provenance';
import { readPacksOfTree, treeCodecVersion } from './tree-codec.js';

type Graph = Pick<GraphReader, 'repositories' | 'commits'>;

/** Each page is one pass over all commits, of which every 64th has a tree at most. */
const pageSize = 50_000;
const commitsPageSize = 256;

/** A merged tree comes from the stack of a commit. */
export function treeProvenance(graph: Graph): Provenance {
  return {
    kind: 'tree',
    pageSize,
    async orphansOf(page) {
      const orphans: Orphan[] = [];
      const current = new Map<ChainId, StoredDerived>();
      for (const stored of page) {
        const { version, key } = stored.address;
        const format = formatOf(stored, treeCodecVersion);
        if (format === 'current') current.set(key as ChainId, stored);
        else if (format === 'older') orphans.push({ ...stored, why: `it is of version ${version}` });
      }
      await withoutStacksOfCommits(graph, current);
      for (const stored of current.values()) orphans.push({ ...stored, why: 'no commit has this stack of layers' });
      return orphans;
    },
  };
}

/** Takes those out that some commit has the stack of. The newest commits come first, and the pass ends with the last tree. */
async function withoutStacksOfCommits(graph: Graph, trees: Map<ChainId, StoredDerived>): Promise<void> {
  if (trees.size === 0) return;
  for (const { repo, commits } of await graph.repositories()) {
    for (let before = commits; before > 0;) {
      const page = await graph.commits(repo, { before, limit: commitsPageSize });
      for (const { chainId } of page) trees.delete(chainId);
      if (trees.size === 0) return;
      before = page.at(-1)?.seq ?? 0;
      await setImmediate();
    }
  }
}

/** The kind of object that a pack is, and whether this process reads one. */
export interface KnownPacks {
  readonly version: number;
  isKnown(key: Digest): boolean;
}

/** A body pack comes from the trees that name it; one that this process knows is in use whoever names it. */
export function packProvenance(
  { graph, blobs }: { readonly graph: Graph; readonly blobs: Pick<BlobStore, 'derived' | 'open'> },
  packs: KnownPacks,
): Provenance {
  const trees = treeProvenance(graph);
  return {
    kind: 'pack',
    pageSize,
    async orphansOf(page) {
      const orphans: Orphan[] = [];
      const current = new Map<Digest, StoredDerived>();
      for (const stored of page) {
        const { key } = stored.address;
        const format = formatOf(stored, packs.version);
        if (format === 'current' && !packs.isKnown(key)) current.set(key, stored);
        else if (format === 'older') orphans.push({ ...stored, why: `it is of version ${stored.address.version}` });
      }
      if (current.size > 0) await withoutPacksOfTrees(blobs, trees, current);
      for (const stored of current.values()) orphans.push({ ...stored, why: 'no merged tree of a commit names it' });
      return orphans;
    },
  };
}

/** Trees are listed when the packs are: what is packed meanwhile is too young to be asked about. */
async function withoutPacksOfTrees(
  blobs: Pick<BlobStore, 'derived' | 'open'>,
  provenance: Provenance,
  packs: Map<Digest, StoredDerived>,
): Promise<void> {
  let page: StoredDerived[] = [];
  const look = async (): Promise<void> => {
    const orphans = new Set((await provenance.orphansOf(page)).map(({ address }) => address));
    for (const { address } of page) {
      if (address.version !== treeCodecVersion || orphans.has(address)) continue;
      for (const key of await packsNamedBy(blobs, address)) packs.delete(key);
      if (packs.size === 0) return;
    }
    page = [];
  };
  for await (const stored of blobs.derived('tree')) {
    page.push(stored);
    if (page.length === provenance.pageSize) await look();
    if (packs.size === 0) return;
  }
  await look();
}

/** None of a tree that is gone or damaged: nobody can read it to find them. */
async function packsNamedBy(
  blobs: Pick<BlobStore, 'open'>,
  address: StoredDerived['address'],
): Promise<readonly Digest[]> {
  try {
    const reader = await blobs.open(address);
    try {
      return await readPacksOfTree(reader);
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (isVarveError(error) && (error.code === 'BLOB_UNKNOWN' || error.code === 'CORRUPT')) return [];
    throw error;
  }
}
