import { Frontier } from '#core/ancestry';
import { type CommitId, decodeCommit } from '#core/commit';
import type { Proposal } from '#core/event';
import type { CommitRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { GraphReader } from '#ports/graph-store';

/**
 * Canonical bytes of commits that show the descent that fast-forward moves of a proposal claim, parents first, but for
 * those it brings itself. Null when they are more than `limit.proofAncestryMax`.
 */
export async function commitsBetween(graph: GraphReader, proposal: Proposal): Promise<readonly Uint8Array[] | null> {
  const brought = new Set(proposal.commits.map((bytes) => decodeCommit(bytes).id));
  const needed = new Map<CommitId, CommitRow>();
  for (const { to, expect, mode } of proposal.updates) {
    if (mode !== 'ff' || to === null || expect.commit === null || to === expect.commit) continue;
    const way = await wayDown(graph, proposal, { from: to, to: expect.commit });
    if (way === undefined) return null;
    for (const row of way) if (!brought.has(row.id)) needed.set(row.id, row);
  }
  const rows = [...needed.values()].toSorted((a, b) => a.seq - b.seq);
  const bytes = await Promise.all(rows.map(({ id }) => graph.commitBytes(proposal.repo, id)));
  return bytes.every((each) => each !== undefined) ? bytes : null;
}

/** The commits on one way from a commit down to its ancestor, without the ancestor. */
async function wayDown(
  graph: GraphReader,
  { repo }: Proposal,
  { from, to }: { readonly from: CommitId; readonly to: CommitId },
): Promise<readonly CommitRow[] | undefined> {
  const [top, bottom] = await Promise.all([graph.commit(repo, from), graph.commit(repo, to)]);
  if (!top || !bottom) return undefined;
  const cameFrom = new Map<number, CommitRow>();
  const frontier = new Frontier([top.seq]);
  for (let steps = 0; steps <= limit.proofAncestryMax; steps += 1) {
    const seq = frontier.pop();
    if (seq === undefined || seq < bottom.seq) return undefined;
    if (seq === bottom.seq) return wayUp(bottom.seq, cameFrom);
    const row = await graph.commitAt(repo, seq);
    if (!row) return undefined;
    for (const parent of row.parents) if (!cameFrom.has(parent)) cameFrom.set(parent, row);
    frontier.push(row.parents);
  }
  return undefined;
}

function wayUp(bottom: number, cameFrom: ReadonlyMap<number, CommitRow>): readonly CommitRow[] {
  const way: CommitRow[] = [];
  for (let row = cameFrom.get(bottom); row; row = cameFrom.get(row.seq)) way.push(row);
  return way;
}
