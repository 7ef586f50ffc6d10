import type { DiffId } from '#core/digest';
import type { RepositoryName } from '#core/name';
import { oneOfEachPartition } from '#core/partition';
import type { StoredDerived } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { formatOf, type Orphan, type Provenance } from '#ports/provenance';
import { indexAddress, seekableAddress } from './derived-address.js';

type Graph = Pick<GraphReader, 'repositories' | 'layer' | 'partitionCount'>;

/** Looked up at one time. */
const pageSize = 256;
const addressOf = { index: indexAddress, seekable: seekableAddress } as const;

/** Indexes and seekable copies come from a layer, which is there while some partition has a commit's proposal that named it. */
export function layerProvenance(kind: 'index' | 'seekable', graph: Graph): Provenance {
  let repositories: Promise<RepositoryName[]> | undefined;
  return {
    kind,
    pageSize,
    async orphansOf(page) {
      repositories ??= askOneOfEach(graph);
      const orphans: Orphan[] = [];
      const current: StoredDerived[] = [];
      for (const stored of page) {
        const format = formatOf(stored, addressOf[kind](stored.address.key as DiffId).version);
        if (format === 'current') current.push(stored);
        else if (format === 'older') orphans.push({ ...stored, why: `it is of version ${stored.address.version}` });
      }
      for (const stored of await unbound(graph, await repositories, current)) {
        orphans.push({ ...stored, why: 'no commit was accepted with this layer' });
      }
      return orphans;
    },
  };
}

async function askOneOfEach(graph: Graph): Promise<RepositoryName[]> {
  const rows = await graph.repositories();
  return oneOfEachPartition(
    rows.map(({ repo }) => repo),
    graph.partitionCount,
  );
}

/** Those whose layer is in no partition. */
async function unbound(
  graph: Graph,
  repositories: readonly RepositoryName[],
  stored: readonly StoredDerived[],
): Promise<readonly StoredDerived[]> {
  let left = stored;
  for (const repo of repositories) {
    if (left.length === 0) break;
    const rows = await Promise.all(left.map(({ address }) => graph.layer(repo, address.key as DiffId)));
    left = left.filter((_, at) => rows[at] === undefined);
  }
  return left;
}
