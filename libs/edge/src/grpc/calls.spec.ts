import { Server, ServerCredentials } from '@grpc/grpc-js';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { VarveError } from '#core/error';
import { Projector } from '#projection/follow';
import { GetRepoRequest, ListReposRequest, RepoServiceService } from '#proto/gen/varve/v1/repo';
import { app, recordBytes, repoCreate, txidOf } from '../../../../test/fixture/event-builder.js';
import { wrapGraph } from '../../../../test/fixture/wrapped-stores.js';
import { GrpcCaller } from '../../../../test/journey/harness/grpc.js';
import type { Engine } from '../engine.js';
import { Calls } from './calls.js';
import { repoService } from './repo-service.js';

const log = openMemoryEventLog({ now: () => 1_000 });
const full = openMemoryGraphStore();
const empty = openMemoryGraphStore();
const silent = wrapGraph(full, {
  checkpoint: () => Promise.reject(new VarveError('UNAVAILABLE', 'the graph does not answer')),
});
/** What the graph is, and what it has become by the time that it is read. */
let held = full;
let becomes = full;
const graph = wrapGraph(full, {
  checkpoint: (partition) => held.checkpoint(partition),
  repository: (repo) => (held = becomes).repository(repo),
  repositories: () => (held = becomes).repositories(),
});
/** Codes of the calls as the server's log has them. */
const ended: (string | null)[] = [];
const server = new Server();
let grpc: GrpcCaller;

beforeAll(async () => {
  await log.append(0, [recordBytes(repoCreate(txidOf('create')))]);
  const projector = new Projector({ log, graph: full });
  projector.start();
  await projector.caughtUp();
  await projector.stop();
  const able = { graph, log, behind: () => undefined, failure: () => undefined };
  const engine = able as unknown as Engine;
  const calls = new Calls(engine, ({ error }) => ended.push(error?.code ?? null));
  const { definition, server: answers } = repoService(engine, calls);
  server.addService(definition, answers);
  const { promise: bound, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error) reject(error);
    else resolve(port);
  });
  grpc = new GrpcCaller(`127.0.0.1:${await bound}`);
});
beforeEach(() => {
  held = becomes = full;
  ended.length = 0;
});
afterAll(() => {
  grpc.close();
  server.forceShutdown();
});

const at = (offset: number) => ({ metadata: { 'varve-min-position': `${log.id}.0.${offset}` } });
const getRepo = (how = {}) => grpc.call(RepoServiceService.getRepo, [GetRepoRequest.fromPartial({ repo: app })], how);
const listRepos = (how = {}) => grpc.call(RepoServiceService.listRepos, [ListReposRequest.fromPartial({})], how);

it('answers at a position, and says how far the graph is', async () => {
  const position = `${log.id}.0.1`;
  expect(await getRepo(at(1))).toMatchObject({ status: 'OK', messages: [{ repository: { repo: app } }], position });
  expect(await listRepos(at(1))).toMatchObject({ messages: [{ repositories: [{ repo: app }] }], position });
  expect(ended).toEqual([null, null]);
});

it('does not tell what it read from a graph that lost its data after it was looked at', async () => {
  becomes = empty;
  expect(await getRepo(at(1))).toMatchObject({
    status: 'UNAVAILABLE',
    code: 'NOT_PROJECTED',
    fields: { position: `${log.id}.0.1`, visible: 'null' },
  });
  expect(ended).toEqual(['NOT_PROJECTED']);
});

it('does not tell it to who asked as of a position, either', async () => {
  const asOf = { metadata: { 'varve-at': `${log.id}.0.1` } };
  expect(await getRepo(asOf)).toMatchObject({ status: 'OK', messages: [{ repository: { repo: app } }] });
  becomes = empty;
  expect(await getRepo(asOf)).toMatchObject({ code: 'NOT_PROJECTED' });
});

it('sends no first message of a stream that was read from one', async () => {
  becomes = empty;
  expect(await listRepos(at(1))).toMatchObject({ code: 'NOT_PROJECTED', messages: [] });
});

it('tells nothing at a position when the graph cannot say any more where it is', async () => {
  becomes = silent;
  expect(await getRepo(at(1))).toMatchObject({ code: 'UNAVAILABLE', messages: [] });
  held = full;
  expect(await getRepo()).toMatchObject({ status: 'OK', messages: [{ repository: { repo: app } }] });
});

it('tells whoever asks without a position what there is', async () => {
  becomes = empty;
  expect(await getRepo()).toMatchObject({ code: 'REPOSITORY_UNKNOWN' });
  expect(await listRepos()).toMatchObject({ status: 'OK', messages: [{ repositories: [] }] });
});
