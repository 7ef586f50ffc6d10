import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { limit } from '#core/limit';
import { HealthCheckRequest, HealthListRequest, HealthService } from '#proto/gen/grpc/health/v1/health';
import { CheckoutRequest, CheckoutServiceService } from '#proto/gen/varve/v1/checkout';
import {
  CommitRequest,
  CommitServiceService,
  type CommitResponse,
  ListCommitsRequest,
} from '#proto/gen/varve/v1/commit';
import { ListRefsRequest, RefServiceService, UpdateRefRequest } from '#proto/gen/varve/v1/ref';
import { CreateRepoRequest, GetRepoRequest, ListReposRequest, RepoServiceService } from '#proto/gen/varve/v1/repo';
import { WatchRequest, type WatchResponse, WatchServiceService } from '#proto/gen/varve/v1/watch';
import { layer } from '../fixture/layer-builder.js';
import { grpcAddress, GrpcCaller } from './harness/grpc.js';
import { embedded } from './harness/mode.js';
import { AppProcess } from './harness/app-process.js';
import { projectRoot, type Server, startServer } from './harness/server.js';
import { storedIn } from './harness/stored.js';

const built = layer({ 'etc/': null, 'etc/motd': 'hello\n' });
const commitMethod = CommitServiceService.commit;

let server: Server;
let grpc: GrpcCaller;
beforeAll(async () => {
  server = await startServer();
  grpc = new GrpcCaller(grpcAddress(server));
  await grpc.call(RepoServiceService.createRepo, [CreateRepoRequest.create({ repo: 'app' })]);
});
afterAll(async () => {
  grpc.close();
  await server.stop();
});

function header(message: string, more: object = {}): CommitRequest {
  return CommitRequest.create({ part: { $case: 'header', value: { repo: 'app', branch: 'main', message, ...more } } });
}
function chunk(bytes: Uint8Array): CommitRequest {
  return CommitRequest.create({ part: { $case: 'chunk', value: Buffer.from(bytes) } });
}

describe('what a client may ask without proto files', () => {
  it('is every service and every method, as buf curl lists them', async () => {
    const listed = await buf('--list-methods');
    const names = listed.split('\n').map((line) => line.trim());
    expect(names).toEqual(
      expect.arrayContaining([
        'varve.v1.CommitService/Commit',
        'varve.v1.CheckoutService/Checkout',
        'varve.v1.WatchService/Watch',
        'grpc.health.v1.Health/Check',
      ]),
    );
    const services = new Set(names.map((name) => name.split('/')[0] ?? ''));
    const { messages } = await grpc.call(HealthService.list, [HealthListRequest.create({})]);
    const known = Object.keys(messages[0]?.statuses ?? {}).filter((name) => name !== '');
    expect(known.length).toBeGreaterThan(9);
    expect([...services].filter((name) => name.startsWith('varve.')).toSorted()).toEqual(known.toSorted());
  });

  it('is answered as JSON, and fails with our code', async () => {
    const refs = JSON.parse(await buf('-d', '{"repo":"app"}', '/varve.v1.RefService/ListRefs')) as {
      refs: { name: string }[];
    };
    expect(refs.refs.map(({ name }) => name)).toEqual(['main']);
    await expect(buf('-d', '{"repo":"nope"}', '/varve.v1.RepoService/GetRepo')).rejects.toMatchObject({
      stderr: expect.stringContaining('not_found') as string,
    });
  });

  function buf(...args: string[]): Promise<string> {
    const url = `http://${grpcAddress(server)}`;
    const last = args.at(-1) ?? '';
    const all = last.startsWith('/') ? [...args.slice(0, -1), `${url}${last}`] : [...args, url];
    const command = join(projectRoot, 'node_modules/.bin/buf');
    return promisify(execFile)(command, ['curl', '--http2-prior-knowledge', '--protocol', 'grpc', ...all]).then(
      ({ stdout }) => stdout,
    );
  }
});

describe('health', () => {
  it('is SERVING for the server and for each service, and NOT_FOUND for others', async () => {
    const of = (service: string) => grpc.call(HealthService.check, [HealthCheckRequest.create({ service })]);
    expect((await of('')).messages).toEqual([{ status: 'SERVING' }]);
    expect((await of('varve.v1.CommitService')).messages).toEqual([{ status: 'SERVING' }]);
    expect((await of('varve.v1.NoService')).status).toBe('NOT_FOUND');
  });

  embedded('the log is a file that it deletes').it(
    'is NOT_SERVING without the log, and a watch of it ends with the server',
    async () => {
      const data = await mkdtemp(join(tmpdir(), 'varve-grpc-'));
      await (await startServer({ data })).stop();
      for (const file of await readdir(data)) if (/^(?:log|audit)\./.test(file)) await rm(join(data, file));
      const halted = new AppProcess({ app: 'standalone', env: { VARVE_DATA: data } });
      await until(() => halted.isOver || halted.output().includes('gRPC listens on'));
      const caller = new GrpcCaller(grpcAddress(halted));

      const watching = caller.call(HealthService.watch, [HealthCheckRequest.create({ service: '' })]);
      const checked = await caller.call(HealthService.check, [HealthCheckRequest.create({ service: '' })]);
      expect(checked.messages).toEqual([{ status: 'NOT_SERVING' }]);
      const read = await caller.call(RepoServiceService.listRepos, [ListReposRequest.create({})]);
      expect(read.status).toBe('OK');
      const refused = await caller.call(RepoServiceService.createRepo, [CreateRepoRequest.create({ repo: 'new' })]);
      expect([refused.code, refused.status]).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);

      expect(await halted.end('SIGTERM')).toBe(0);
      expect((await watching).messages).toEqual([{ status: 'NOT_SERVING' }]);
      caller.close();
      await rm(data, { recursive: true });
    },
  );
});

describe('a watch', () => {
  it('tells what happens, goes on after a position, and tells what was refused', async () => {
    const seen: WatchResponse[] = [];
    const watch = grpc.client.makeServerStreamRequest(
      WatchServiceService.watch.path,
      WatchServiceService.watch.requestSerialize,
      WatchServiceService.watch.responseDeserialize,
      WatchRequest.create({ repo: 'app' }),
    );
    watch.on('data', (message: WatchResponse) => seen.push(message));
    watch.on('error', () => undefined);
    await until(() => seen[0]?.what?.$case === 'begun');
    const made = await commit('watched');
    await until(() => seen.length === 2);
    watch.cancel();
    expect(eventOf(seen[1])).toMatchObject({
      position: made.written?.position,
      repo: 'app',
      type: 'ref.update.v1',
      operation: 'commit',
      outcome: { outcome: { $case: 'accepted', value: { commits: [made.commit] } } },
    });

    const all = await watched('start', 3);
    expect(all.map((message) => eventOf(message)?.operation)).toEqual([undefined, 'init', 'commit']);
    const later = await watched(eventOf(all[1])?.position as string, 2);
    expect(eventOf(later[1])).toEqual(eventOf(all[2]));
  });

  it('is the same over REST, where the id of each event is the position to go on after', async () => {
    const events = await sse({ 'last-event-id': '' }, '?after=start', 3);
    expect(events.map(({ event }) => event)).toEqual(['begun', 'transaction', 'transaction']);
    const [, created, committed] = events;
    expect(committed?.data).toMatchObject({ outcome: 'accepted', operation: 'commit', position: committed?.id });
    const [begun, again] = await sse({ 'last-event-id': created?.id ?? '' }, '', 2);
    expect([begun?.id, again]).toEqual([created?.id, committed]);
  });

  async function watched(after: string, count: number): Promise<WatchResponse[]> {
    const { path, requestSerialize, responseDeserialize } = WatchServiceService.watch;
    const request = WatchRequest.create({ repo: 'app', after });
    const watch = grpc.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    const messages: WatchResponse[] = [];
    watch.on('error', () => undefined);
    for await (const message of watch as AsyncIterable<WatchResponse>) if (messages.push(message) === count) break;
    // A reader that only stops reading holds its call open.
    watch.cancel();
    return messages;
  }

  async function sse(headers: Record<string, string>, query: string, count: number) {
    const sent = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''));
    const left = new AbortController();
    const response = await fetch(`${server.url}/api/v1/repos/app/events${query}`, {
      headers: sent,
      signal: left.signal,
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    let text = '';
    const decoder = new TextDecoder();
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true });
      if (text.split('\n\n').length > count) break;
    }
    left.abort();
    return text
      .split('\n\n')
      .slice(0, count)
      .map((block) => {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))) as Record<
          string,
          string
        >;
        return {
          id: fields['id'],
          event: fields['event'],
          data: JSON.parse(fields['data'] ?? 'null') as { position: string },
        };
      });
  }
});

describe('metadata', () => {
  it('is who writes, as text or as UTF-8 bytes, and the reflog tells it', async () => {
    const metadata = { 'varve-actor-bin': Buffer.from('Zoë'), 'varve-request-id': 'my-id.1' };
    const made = await grpc.call(commitMethod, [header('by Zoë')], { metadata });
    const reflog = await fetch(`${server.url}/api/v1/repos/app/reflog?limit=1`);
    expect(made.code).toBeNull();
    expect(await reflog.json()).toMatchObject({ moves: [{ actor: { name: 'Zoë', verified: false } }] });
    await until(() => server.output().includes('"request":"my-id.1"'));
  });

  it('is an idempotency key: the same call again is the same write, another one is refused', async () => {
    const metadata = { 'idempotency-key': 'once' };
    const sent = [header('once', { labels: { a: '1', b: '2' } }), chunk(layer({ once: '1' }).tar)];
    const first = await grpc.call(commitMethod, sent, { metadata });
    // Another clock and another order on the wire are the same request.
    const again = [header('once', { labels: { b: '2', a: '1' }, time: '2026-01-01T00:00:00Z' }), ...sent.slice(1)];
    const second = await grpc.call(commitMethod, again, { metadata });
    expect([first.messages[0]?.written?.replayed, second.messages[0]?.written?.replayed]).toEqual([false, true]);
    expect(second.messages[0]?.commit).toBe(first.messages[0]?.commit);
    const other = await grpc.call(commitMethod, [header('another')], { metadata });
    expect([other.code, other.status]).toEqual(['IDEMPOTENCY_KEY_REUSED', 'INVALID_ARGUMENT']);
  });

  it('is a position to wait for: answers tell theirs, and one of another log is refused', async () => {
    const { position } = await grpc.call(commitMethod, [header('placed')]);
    const request = [ListRefsRequest.create({ repo: 'app' })];
    const known = await grpc.call(RefServiceService.listRefs, request, {
      metadata: { 'varve-min-position': `${position}` },
    });
    expect([known.code, known.position]).toEqual([null, position]);
    const other = await grpc.call(RefServiceService.listRefs, request, { metadata: { 'varve-min-position': 'x.0.1' } });
    expect([other.code, other.status]).toEqual(['POSITION_UNKNOWN', 'OUT_OF_RANGE']);
    const later = position?.replace(/\d+$/, '999999') ?? '';
    const early = await grpc.call(RefServiceService.listRefs, request, { metadata: { 'varve-min-position': later } });
    expect([early.code, early.status]).toEqual(['NOT_PROJECTED', 'UNAVAILABLE']);
  });
});

describe('a download', () => {
  it('is resumed at an offset with its etag, and is refused when the bytes are others', async () => {
    await grpc.call(commitMethod, [header('to fetch'), chunk(built.tar)]);
    const whole = await fetched({ rev: 'main' });
    const rest = await fetched({ rev: whole.commit, part: { offset: 1_000, ifMatch: whole.etag } });
    expect(rest.bytes.equals(whole.bytes.subarray(1_000))).toBe(true);
    expect(whole.sizeBytes).toBe(whole.bytes.length);
    const none = await fetched({ rev: 'main', part: { offset: whole.sizeBytes ?? 0 } });
    expect(none.bytes.length).toBe(0);
    const moved = await grpc.call(CheckoutServiceService.checkout, [
      CheckoutRequest.create({ repo: 'app', rev: 'main~1', part: { offset: 1_000, ifMatch: '"u1w1-other"' } }),
    ]);
    expect([moved.code, moved.status]).toEqual(['REF_STALE', 'ABORTED']);
  });

  async function fetched(asked: object) {
    const request = CheckoutRequest.create({ repo: 'app', ...asked });
    const { messages, code } = await grpc.call(CheckoutServiceService.checkout, [request]);
    expect(code).toBeNull();
    const [first, ...chunks] = messages.map(({ part }) => part);
    if (first?.$case !== 'head') throw new Error('no head');
    const bytes = Buffer.concat(chunks.map((part) => part?.value as Buffer));
    return { commit: first.value.commit, bytes, etag: '', ...first.value.content };
  }
});

describe('bad input', () => {
  const refused = async (sent: readonly CommitRequest[]): Promise<string> => {
    const { code, status, message } = await grpc.call(commitMethod, sent);
    return `${status} ${code} ${message}`;
  };

  it('is a stream without its header, with two, or with messages that say nothing', async () => {
    expect(await refused([])).toMatch(/^INVALID_ARGUMENT REQUEST_INVALID .*begins with no message/);
    expect(await refused([chunk(built.tar)])).toMatch(/^INVALID_ARGUMENT REQUEST_INVALID .*begins with chunk/);
    expect(await refused([CommitRequest.create({})])).toMatch(/REQUEST_INVALID .*neither header nor chunk/);
    const half = built.tar.subarray(0, 700);
    expect(await refused([header('two'), chunk(half), header('two')])).toMatch(/REQUEST_INVALID .*a second header/);
    expect(await refused([header('odd'), chunk(half), CommitRequest.create({})])).toMatch(/REQUEST_INVALID/);
  });

  it('is a stream that is half-closed before its layer ends', async () => {
    expect(await refused([header('half'), chunk(built.tar.subarray(0, 700))])).toMatch(
      /^INVALID_ARGUMENT LAYER_INVALID/,
    );
  });

  it('is a message that is too large, or that is no message at all', async () => {
    const large = await grpc.call(commitMethod, [header('large'), chunk(Buffer.alloc(limit.grpcMessageBytesMax + 1))]);
    expect(large.status).toBe('RESOURCE_EXHAUSTED');
    const garbage = { ...RepoServiceService.getRepo, requestSerialize: () => Buffer.from([0xff, 0xff, 0xff]) };
    const { code, status } = await grpc.call(garbage, [GetRepoRequest.create({ repo: 'app' })]);
    expect([code, status]).toEqual(['REQUEST_INVALID', 'INVALID_ARGUMENT']);
  });

  it('is not a field that nobody knows: newer clients may say more', async () => {
    const { requestSerialize } = RepoServiceService.getRepo;
    // Field 99, a varint.
    const more = Buffer.from([0x98, 0x06, 0x01]);
    const newer = {
      ...RepoServiceService.getRepo,
      requestSerialize: (request: GetRepoRequest) => Buffer.concat([requestSerialize(request), more]),
    };
    expect((await grpc.call(newer, [GetRepoRequest.create({ repo: 'app' })])).status).toBe('OK');
  });

  it('is a deadline that has passed, and a method that is not there', async () => {
    const late = await grpc.call(RefServiceService.listRefs, [ListRefsRequest.create({ repo: 'app' })], {
      deadline: new Date(Date.now() - 1_000),
    });
    expect(late.status).toBe('DEADLINE_EXCEEDED');
    const none = { ...RefServiceService.listRefs, path: '/varve.v1.RefService/Nothing' };
    expect((await grpc.call(none, [ListRefsRequest.create({})])).status).toBe('UNIMPLEMENTED');
  });

  it.each([
    ['a page of no size', { pageSize: -1 }],
    ['a page that is too large', { pageSize: 100_000 }],
    ['a cursor that is none', { cursor: 'nonsense' }],
  ])('is %s', async (_, asked) => {
    const request = ListCommitsRequest.create({ repo: 'app', ...asked });
    const { status } = await grpc.call(CommitServiceService.listCommits, [request]);
    expect(status).toBe('INVALID_ARGUMENT');
  });

  it('is an expectation that no ref can meet', async () => {
    const wanted = { expectation: { $case: 'state' as const, value: { commit: 'abc', version: 1 } } };
    const request = UpdateRefRequest.create({ repo: 'app', ref: 'heads/x', to: 'main', expect: wanted });
    expect((await grpc.call(RefServiceService.updateRef, [request])).code).toBe('REQUEST_INVALID');
  });

  it('leaves nothing behind', async () => {
    await until(async () => (await storedIn(server.data)).staging.length === 0);
    const { messages } = await grpc.call(CommitServiceService.listCommits, [
      ListCommitsRequest.create({ repo: 'app' }),
    ]);
    const told = new Set(messages.flatMap(({ commits }) => commits.map(({ message }) => message)));
    expect(['two', 'odd', 'half', 'large'].filter((message) => told.has(message))).toEqual([]);
  });
});

async function commit(message: string): Promise<CommitResponse> {
  const { messages, message: why } = await grpc.call(commitMethod, [header(message)]);
  if (!messages[0]) throw new Error(why);
  return messages[0];
}

function eventOf(message: WatchResponse | undefined) {
  return message?.what?.$case === 'event' ? message.what.value : undefined;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < 1_000; n++) {
    if (await holds()) return;
    await pause(20);
  }
  throw new Error('it did not come');
}
