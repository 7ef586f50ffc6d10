import { parseRepositoryName } from '#core/name';
import {
  type DiffRequest,
  type DiffResponse,
  DiffServiceService,
  type DiffServiceServer,
} from '#proto/gen/varve/v1/diff';
import type { Change } from '#query/changes';
import { diff, type Diff } from '#query/diff';
import { parsePath } from '#query/path-argument';
import { diffLines, type DiffSummary } from '../command/diff-lines.js';
import type { Engine } from '../engine.js';
import { gathered } from './batch.js';
import type { Calls } from './calls.js';
import { changeMessage, entryBytes } from './entry-message.js';
import type { Served } from './served.js';

export function diffService(calls: Calls): Served {
  const server: DiffServiceServer = { diff: calls.stream((asked, { engine }) => lines(engine, asked)) };
  return { definition: DiffServiceService, server };
}

async function* lines(engine: Engine, asked: DiffRequest): AsyncGenerator<DiffResponse> {
  const found = await diff(engine, parseRepositoryName(asked.repo), {
    from: asked.fromRev ?? null,
    to: asked.toRev ?? 'HEAD',
    fromMergeBase: asked.mergeBase,
    paths: asked.paths.map(parsePath),
    shadows: asked.shadows,
    times: asked.times,
  });
  yield headOf(found);
  let summary: DiffSummary | undefined;
  const changes = async function* (): AsyncGenerator<Change> {
    for await (const line of diffLines(found, !asked.stat)) {
      if (line.type === 'change') yield line.change;
      else if (line.type === 'summary') summary = line;
    }
  };
  for await (const some of gathered(changes(), changeBytes)) {
    yield { line: { $case: 'changes', value: { changes: some.map(changeMessage) } } };
  }
  if (summary) yield { line: { $case: 'summary', value: { ...summary, classes: { ...summary.classes } } } };
}

function headOf({ from, to, warnings, layersShared, layersRemoved, layersAdded, config }: Diff): DiffResponse {
  const value = {
    fromCommit: from?.id,
    toCommit: to.id,
    warnings: [...warnings],
    layersShared,
    layersRemoved: [...layersRemoved],
    layersAdded: [...layersAdded],
    config: config.map(({ pointer, before, after }) => ({
      pointer,
      beforeJson: JSON.stringify(before),
      afterJson: JSON.stringify(after),
    })),
  };
  return { line: { $case: 'head', value } };
}

function changeBytes({ before, after }: Change): number {
  return (before ? entryBytes(before) : 0) + (after ? entryBytes(after) : 0);
}
