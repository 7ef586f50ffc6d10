import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommitId } from '#core/commit';
import { branchRef, parseRepositoryName } from '#core/name';
import type { Engine } from '#edge/engine';
import { commitLayer } from '#history/commit-layer';
import { createRepository } from '#history/create-repository';
import type { WriteContext } from '#history/write';
import { receiveLayer } from '#layer/receive-layer';
import { loadConfig } from '#wiring/config';
import { openEngine } from '#wiring/open-engine';
import { layerStream, type SyntheticLayer } from './layer-stream.js';

export const repo = parseRepositoryName('bench');
const branch = branchRef('main');
const context: WriteContext = {
  actor: { name: 'bench', verified: false },
  reason: 'bench',
  idempotencyKey: null,
  request: null,
};

/** A folder that is gone when the work is done. */
export async function inScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs the parts of the server on a data folder in this process, without its doors, as a process of its own would. */
export async function withEngine<T>(data: string, work: (engine: Engine) => Promise<T>): Promise<T> {
  const running = await openEngine(loadConfig({ VARVE_DATA: data }));
  try {
    return await work(running.engine);
  } finally {
    await running.close();
  }
}

export async function makeRepository({ submitter }: Engine): Promise<void> {
  await createRepository({ submitter }, { repo, defaultBranch: branch }, context);
}

/** Puts a synthetic layer on the branch. */
export async function commitSynthetic(engine: Engine, layer: SyntheticLayer): Promise<CommitId> {
  const received = await receiveLayer(engine.blobs, layerStream(layer));
  const request = { repo, branch, layer: received, message: 'bench', author: 'bench', time: null, labels: {} };
  return (await commitLayer(engine, request, context)).commit;
}
