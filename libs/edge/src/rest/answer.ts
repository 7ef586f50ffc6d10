import type { z } from 'zod';
import type { Outcome, OutcomeRow, ReflogRow, RepositoryRow } from '#core/graph-row';
import { isTag, type RepositoryName, shortRefName } from '#core/name';
import { partitionOf } from '#core/partition';
import { formatPosition } from '#core/position';
import type { LoadReport } from '#history/load-report';
import type { TreeNode } from '#query/image-tree';
import type { PlacedCommit } from '#query/read-commit';
import type { ExistingRef } from '#query/refs';
import type { ShownCommit } from '#query/show';
import type { WatchedEvent } from '#query/watch';
import type { Engine } from '../engine.js';
import type * as schema from './schema.js';

/** Renders what queries answer as the JSON of `schema.ts`. */

type Located = Pick<Engine, 'log' | 'graph'>;

export function renderRepository({
  repo,
  defaultBranch,
  commits,
  moves,
  createdAt,
}: RepositoryRow): z.infer<typeof schema.repository> {
  return { repo, defaultBranch, commits, moves, createdAt: instant(createdAt) };
}

export function renderRef({ ref, value }: ExistingRef): z.infer<typeof schema.ref> {
  return {
    ref,
    name: shortRefName(ref),
    type: isTag(ref) ? 'tag' : 'branch',
    commit: value.commit,
    version: value.version,
  };
}

export function renderMove(engine: Located, repo: RepositoryName, row: ReflogRow): z.infer<typeof schema.reflogMove> {
  const { ref, version, from, to, operation, reason, actor, txid, offset, time } = row;
  const position = positionOf(engine, repo, offset);
  return { ref, version, from, to, operation, reason, actor, txid, position, time: instant(time) };
}

export function renderCommit(
  engine: Located,
  { row, commit, refs }: PlacedCommit,
): z.infer<typeof schema.loggedCommit> {
  const { message, author, committer, time, labels, platform } = commit;
  const { ownBytes, virtualBytes, stackLayers, chainId, depth } = row;
  return {
    id: row.id,
    parents: [...commit.parents],
    message,
    author,
    committer,
    time,
    labels,
    layers: [...commit.layers],
    platform,
    origin: commit.origin && { ...commit.origin },
    refs: [...refs],
    ownBytes,
    virtualBytes,
    stackLayers,
    chainId,
    depth,
    position: positionOf(engine, row.repo, row.offset),
  };
}

export function renderShown(engine: Located, shown: ShownCommit): z.infer<typeof schema.shownCommit> {
  const { base, config, manifest, index } = shown.commit;
  return {
    ...renderCommit(engine, shown),
    base,
    config,
    manifest,
    index: index && [...index],
    configuration: shown.configuration,
    warning: shown.warning,
  };
}

const subjectCharactersMax = 200;

export function renderNode({ id, commit, ownBytes, virtualBytes, places }: TreeNode): z.infer<typeof schema.treeNode> {
  const subject = (commit.message.split('\n', 1)[0] as string).slice(0, subjectCharactersMax).toWellFormed();
  const told = places.map(({ repo, refs }) => ({ repo, refs: [...refs] }));
  const v1Id = commit.origin?.v1Id ?? null;
  return { id, parents: [...commit.parents], subject, time: commit.time, v1Id, ownBytes, virtualBytes, places: told };
}

export function renderTransaction(engine: Located, row: OutcomeRow): z.infer<typeof schema.transaction> {
  const { txid, repo, offset, time, outcome } = row;
  const position = positionOf(engine, repo, offset);
  return { txid, repo, position, time: instant(time), ...renderOutcome(outcome) };
}

export function renderEvent({
  position,
  time,
  outcome,
  actor,
  ...event
}: WatchedEvent): z.infer<typeof schema.watchedEvent> {
  return {
    position: formatPosition(position),
    time: instant(time),
    actor: actor && { ...actor },
    ...event,
    ...renderOutcome(outcome),
  };
}

function renderOutcome(
  outcome: Outcome,
): Pick<z.infer<typeof schema.transaction>, 'outcome' | 'commits' | 'moves' | 'error'> {
  if (outcome.type === 'accepted') {
    return { outcome: 'accepted', commits: [...outcome.commits], moves: [...outcome.moves], error: null };
  }
  const error = { code: outcome.code, detail: outcome.message, fields: outcome.detail };
  return { outcome: 'rejected', commits: [], moves: [], error };
}

export function renderLoad({ images, repositories, bytesRead, warnings }: LoadReport): z.infer<typeof schema.loaded> {
  return {
    images: images.map((image) => ({ ...image, refs: [...image.refs] })),
    repositories: repositories.map(({ written: { position, replayed }, ...counts }) => ({
      ...counts,
      position: formatPosition(position),
      replayed,
    })),
    bytesRead,
    warnings: [...warnings],
  };
}

function positionOf({ log, graph }: Located, repo: RepositoryName | null, offset: number): string {
  const partition = repo === null ? 0 : partitionOf(repo, graph.partitionCount);
  return formatPosition({ log: log.id, partition, offset });
}

export function instant(ms: number): string {
  return new Date(ms).toISOString();
}
