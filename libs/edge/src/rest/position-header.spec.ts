import fastify, { type FastifyInstance } from 'fastify';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { VarveError } from '#core/error';
import { Projector } from '#projection/follow';
import { app, recordBytes, repoCreate, txidOf } from '../../../../test/fixture/event-builder.js';
import { wrapGraph } from '../../../../test/fixture/wrapped-stores.js';
import type { Engine } from '../engine.js';
import { addPosition, installPositions } from './position-header.js';
import { EngineAsOfPipe, installMoments } from './read-engine.js';

const log = openMemoryEventLog({ now: () => 1_000 });
const full = openMemoryGraphStore();
const silent = wrapGraph(full, {
  checkpoint: () => Promise.reject(new VarveError('UNAVAILABLE', 'the graph does not answer')),
});
let held = full;
let http: FastifyInstance;

beforeAll(async () => {
  await log.append(0, [recordBytes(repoCreate(txidOf('create')))]);
  const projector = new Projector({ log, graph: full });
  projector.start();
  await projector.caughtUp();
  await projector.stop();
  const graph = wrapGraph(full, {
    checkpoint: (partition) => held.checkpoint(partition),
    repository: (repo) => held.repository(repo),
  });
  http = fastify();
  installPositions(http, { graph, log });
  installMoments(http);
  const past = new EngineAsOfPipe({ graph, log } as unknown as Engine);
  http.get('/api/v1/repos/:repo', async (request, reply) => {
    const then = await past.transform(request);
    held = openMemoryGraphStore();
    return reply.status(404).send({ known: (await then.graph.repository(app)) !== undefined });
  });
  http.get('/kept', async () => ({ known: (await graph.repository(app)) !== undefined }));
  http.get('/lost', async (_request, reply) => {
    held = openMemoryGraphStore();
    return reply.status(404).send({ known: (await graph.repository(app)) !== undefined });
  });
  http.get('/lines', async (request, reply) => {
    await addPosition({ graph, log }, request, reply);
    held = openMemoryGraphStore();
    return reply.status(404).send({ known: (await graph.repository(app)) !== undefined });
  });
  http.get('/silent', async () => {
    const known = (await graph.repository(app)) !== undefined;
    held = silent;
    return { known };
  });
});
beforeEach(() => (held = full));
afterAll(() => http.close());

const at = (offset: number) => ({ headers: { 'varve-min-position': `${log.id}.0.${offset}` } });

it('answers at a position, and says how far the graph is', async () => {
  const answer = await http.inject({ url: '/kept', ...at(1) });
  expect({
    status: answer.statusCode,
    json: answer.json<unknown>(),
    position: answer.headers['varve-position'],
  }).toEqual({
    status: 200,
    json: { known: true },
    position: `${log.id}.0.1`,
  });
});

it('does not tell what it read from a graph that lost its data after it was looked at', async () => {
  const answer = await http.inject({ url: '/lost', ...at(1) });
  expect(answer.statusCode).toBe(503);
  expect(answer.headers).toMatchObject({ 'varve-error': 'NOT_PROJECTED', 'retry-after': '1' });
  expect(answer.json()).toMatchObject({ code: 'NOT_PROJECTED', fields: { position: `${log.id}.0.1`, visible: null } });
});

it('does not tell it to who asked as of a position, either', async () => {
  const answer = await http.inject({ url: `/api/v1/repos/${encodeURIComponent(app)}?at=${log.id}.0.1` });
  expect(answer.json()).toMatchObject({ code: 'NOT_PROJECTED', fields: { position: `${log.id}.0.1`, visible: null } });
  held = full;
  expect((await http.inject({ url: `/api/v1/repos/${encodeURIComponent(app)}` })).json()).toEqual({ known: false });
});

it('looks at a failure, too, of an answer whose head was made before', async () => {
  const answer = await http.inject({ url: '/lines', ...at(1) });
  expect({ status: answer.statusCode, code: answer.headers['varve-error'] }).toEqual({
    status: 503,
    code: 'NOT_PROJECTED',
  });
});

it('tells nothing at a position when the graph cannot say any more where it is', async () => {
  const answer = await http.inject({ url: '/silent', ...at(1) });
  expect({ status: answer.statusCode, code: answer.headers['varve-error'] }).toEqual({
    status: 503,
    code: 'UNAVAILABLE',
  });
  held = full;
  expect((await http.inject({ url: '/silent' })).json()).toEqual({ known: true });
});

it('says of a position of another log that it is one, and nothing else', async () => {
  const elsewhere = { headers: { 'varve-min-position': `${'0'.repeat(32)}.0.99` } };
  const answer = await http.inject({ url: '/kept', ...elsewhere });
  expect(answer.json()).toMatchObject({ code: 'POSITION_UNKNOWN' });
});

it('tells whoever asks without a position what there is', async () => {
  expect((await http.inject({ url: '/lost' })).json()).toEqual({ known: false });
});
