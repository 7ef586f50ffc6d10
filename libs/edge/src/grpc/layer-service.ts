import { parseRepositoryName } from '#core/name';
import {
  LayerServiceService,
  type LayerServiceServer,
  type ListEntriesRequest,
  type ListEntriesResponse,
  type ReadLayerFileRequest,
  type ReadLayerFileResponse,
  type ReadTarRequest,
  type ReadTarResponse,
} from '#proto/gen/varve/v1/layer';
import { knownLayer } from '#query/known-layer';
import { readLayerTar, showLayer } from '#query/layer-content';
import { layerEntries } from '#query/layer-entry';
import { readLayerFile } from '#query/layer-file';
import { lintsOf } from '#query/lints';
import { parsePath } from '#query/path-argument';
import type { Engine } from '../engine.js';
import { renderLints } from '../rest/render-entry.js';
import { gathered } from './batch.js';
import type { Calls } from './calls.js';
import { contentMessages } from './content.js';
import { entryBytes, entryTypes, layerEntryMessage, layerMessage } from './entry-message.js';
import type { Served } from './served.js';

export function layerService(calls: Calls): Served {
  const server: LayerServiceServer = {
    getLayer: calls.ask(async ({ repo: name, layer }, { engine }) => {
      const repo = parseRepositoryName(name);
      return { layer: layerMessage(await showLayer(engine, repo, await knownLayer(engine.graph, repo, layer))) };
    }),
    listEntries: calls.stream((asked, { engine }) => entries(engine, asked)),
    readLayerFile: calls.stream((asked, { engine }) => content(engine, asked)),
    readTar: calls.stream((asked, { engine }) => tar(engine, asked)),
    lint: calls.stream(async function* ({ repo, rev }, { engine }) {
      const { commit, layers, union } = await lintsOf(engine, parseRepositoryName(repo), rev);
      for (const layer of layers) yield { line: { $case: 'layer' as const, value: layerMessage(layer) } };
      yield { line: { $case: 'union' as const, value: { commit: commit.id, lints: renderLints(union) } } };
    }),
  };
  return { definition: LayerServiceService, server };
}

async function* entries(engine: Engine, asked: ListEntriesRequest): AsyncGenerator<ListEntriesResponse> {
  const repo = parseRepositoryName(asked.repo);
  const { diffId } = await knownLayer(engine.graph, repo, asked.layer);
  const index = await engine.layers.index(repo, diffId);
  yield { line: { $case: 'head', value: { diffId } } };
  for await (const some of gathered(layerEntries(index), entryBytes)) {
    yield { line: { $case: 'entries', value: { entries: some.map(layerEntryMessage) } } };
  }
  yield { line: { $case: 'summary', value: { entries: index.entries.count } } };
}

async function* content(engine: Engine, asked: ReadLayerFileRequest): AsyncGenerator<ReadLayerFileResponse> {
  const repo = parseRepositoryName(asked.repo);
  const layer = await knownLayer(engine.graph, repo, asked.layer);
  const file = await readLayerFile(engine, repo, { layer, path: parsePath(asked.path) });
  const open = async () => ({ size: file.sizeBytes, read: file.read });
  for await (const { head, chunk } of contentMessages({ etag: `"${file.tag}"`, open }, asked.part)) {
    if (head) yield { part: { $case: 'head', value: { type: entryTypes[file.entry.type], content: head } } };
    else yield { part: { $case: 'chunk', value: chunk } };
  }
}

async function* tar(engine: Engine, asked: ReadTarRequest): AsyncGenerator<ReadTarResponse> {
  const repo = parseRepositoryName(asked.repo);
  const layer = await knownLayer(engine.graph, repo, asked.layer);
  const open = async () => ({
    size: layer.tarBytes,
    read: (from: number, to: number) => readLayerTar(engine, repo, { layer, from, to }),
  });
  for await (const { head, chunk } of contentMessages({ etag: `"${layer.diffId}"`, open }, asked.part)) {
    yield { part: head ? { $case: 'head', value: head } : { $case: 'chunk', value: chunk } };
  }
}
