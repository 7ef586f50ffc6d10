import { Readable } from 'node:stream';
import { openRootfs } from '#edge/command/rootfs';
import type { Engine } from '#edge/engine';
import { commitLayer } from '#history/commit-layer';
import { createRepository } from '#history/create-repository';
import { receiveLayer } from '#layer/receive-layer';
import { plansMade } from '#union/rootfs-plan';
import { loadConfig } from '#wiring/config';
import { openEngine, type RunningEngine } from '#wiring/open-engine';
import { app, main } from '../fixture/event-builder.js';
import { context } from '../fixture/running-history.js';
import { floodEntry } from '../fuzz/flood.js';

const files = 100_000;
const checkouts = 32;
const mebibyte = 2 ** 20;

let running: RunningEngine;
let engine: Engine;
beforeAll(async () => {
  const memory = { VARVE_EVENT_LOG: 'memory:', VARVE_GRAPH: 'memory:', VARVE_BLOB_STORE: 'memory:' };
  running = await openEngine(loadConfig({ ...memory, VARVE_AUDIT_STORE: 'memory:' }));
  engine = running.engine;
  await createRepository(engine, { repo: app, defaultBranch: main }, context);
  const layer = await receiveLayer(engine.blobs, Readable.from(tar()));
  const request = { repo: app, branch: main, layer, message: '', author: '', time: null, labels: {} };
  await commitLayer(engine, request, context);
});
afterAll(() => running?.close());

it('many checkouts of one image at once share its plan, and hold two chunks each', async () => {
  const { commit: id } = (await engine.graph.ref(app, main))!;
  const commit = (await engine.graph.commit(app, id!))!;
  const [before, buffersBefore] = [plansMade(), process.memoryUsage().arrayBuffers];
  const opened = await Promise.all(Array.from({ length: checkouts }, () => openRootfs(engine, commit)));
  expect(plansMade() - before).toBe(1);
  expect(new Set(opened.map(({ size }) => size)).size).toBe(1);
  const reading = opened.map(({ size, read }) => read(0, size));
  const firsts = await Promise.all(reading.map((tarOf) => tarOf.next()));
  expect(firsts.every(({ done, value }) => !done && value.length >= 256 << 10)).toBe(true);
  const perCheckout = (process.memoryUsage().arrayBuffers - buffersBefore) / checkouts;
  expect(perCheckout).toBeLessThan(64 * mebibyte);
  await Promise.all(reading.map((tarOf) => tarOf.return(undefined)));
  await openRootfs(engine, commit);
  expect(plansMade() - before).toBe(1);
});

it('a plan that is being made lets others have their turn', async () => {
  const { commit: id } = (await engine.graph.ref(app, main))!;
  const commit = (await engine.graph.commit(app, id!))!;
  const layer = await receiveLayer(engine.blobs, Readable.from([floodEntry('z'), Buffer.alloc(1024)]));
  const request = { repo: app, branch: main, layer, message: '', author: '', time: null, labels: {} };
  const { commit: next } = await commitLayer(engine, request, context);
  expect(next).not.toBe(commit.id);
  let turns = 0;
  const others = setInterval(() => turns++, 0);
  await openRootfs(engine, (await engine.graph.commit(app, next))!);
  clearInterval(others);
  expect(turns).toBeGreaterThan(2);
});

function* tar(): Generator<Buffer> {
  const perPiece = 2000;
  for (let from = 0; from < files; from += perPiece) {
    yield Buffer.concat(Array.from({ length: perPiece }, (_, i) => floodEntry(`d/${from + i}`)));
  }
  yield Buffer.alloc(1024);
}
