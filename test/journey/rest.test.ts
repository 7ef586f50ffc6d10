import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { z } from 'zod';
import { genesis } from '#core/commit';
import { errorRendering } from '#edge/error-rendering';
import * as schema from '#edge/rest/schema';
import { archiveOf, dockerArchive } from '../fixture/archive-builder.js';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import { appImage, appLayer, baseLayer, webImage } from './harness/archives.js';
import { embedded } from './harness/mode.js';
import { cleanEnvironment, projectRoot, type Server, startServer } from './harness/server.js';
import { storedIn } from './harness/stored.js';

let server: Server;
beforeAll(async () => (server = await startServer()));
afterAll(async () => server?.stop());

/** Each test has a repository of its own. */
let serial = 0;
const freshRepo = (): string => `case/n${++serial}`;
const pathOf = (repo: string, ...parts: readonly string[]): string => ['/api/v1/repos', ...[repo, ...parts].map(encodeURIComponent)].join('/'); // prettier-ignore

function ask(path: string, options: RequestInit = {}): Promise<Response> {
  return fetch(server.url + path, options);
}

function send(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return ask(path, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
}

/** A success, in the shape that the interface promises. */
async function read<T>(shape: z.ZodType<T>, asked: Promise<Response>, status = 200): Promise<T> {
  const answer = await asked;
  const text = await answer.text();
  expect({ status: answer.status, text }).toMatchObject({ status });
  expect(answer.headers.get('varve-position')).toMatch(/^[a-z0-9]+\.0\.\d+$/);
  return shape.parse(JSON.parse(text));
}

/** A failure: a problem document with the status and title of its code, the code again in a header, and a position. */
async function problem(
  asked: Promise<Response>,
  code: keyof typeof errorRendering,
  status: number = errorRendering[code].http,
) {
  const answer = await asked;
  const told = schema.problem.parse(await answer.json());
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.headers.get('varve-error')).toBe(code);
  expect(answer.headers.get('varve-position')).not.toBeNull();
  expect({ http: answer.status, ...told }).toMatchObject({
    http: status,
    status,
    code,
    title: errorRendering[code].title,
  });
  return told;
}

async function create(repo = freshRepo()): Promise<string> {
  await read(schema.createdRepository, send('POST', '/api/v1/repos', { repo }), 201);
  return repo;
}

function commit(repo: string, query: string, body?: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const path = `${pathOf(repo, 'branches', 'main', 'commits')}?${query}`;
  return ask(path, { method: 'POST', headers, ...(body ? { body } : {}) });
}

async function staged(): Promise<readonly string[]> {
  return (await storedIn(server.data)).staging;
}

const bytesOf = (buffer: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(buffer);

describe('the server', () => {
  it('says that it lives and is ready, and what it is', async () => {
    expect(await read(schema.health, ask('/livez'))).toEqual({ status: 'ok' });
    expect(await read(schema.health, ask('/readyz'))).toEqual({ status: 'ok' });
    expect((await read(schema.about, ask('/api/v1'))).product).toBe('varve');
  });

  it('documents an answer and a failure of every route', async () => {
    const document = (await (await ask('/api/v1/openapi.json')).json()) as {
      paths: Record<string, Record<string, { responses: object }>>;
    };
    const responses = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((each) => Object.keys(each.responses)),
    );
    expect(
      responses.every((statuses) => statuses.includes('500') && statuses.some((status) => status.startsWith('2'))),
    ).toBe(true);
  });

  it('answers what it does not know with a problem', async () => {
    await problem(ask('/api/v1/nothing'), 'PATH_UNKNOWN');
    await problem(ask('/api/v1/repos', { method: 'PATCH' }), 'PATH_UNKNOWN');
    await problem(send('POST', '/api/v1/repos', { repo: 'x', colour: 'red' }), 'REQUEST_INVALID');
    await problem(send('POST', '/api/v1/repos', { repo: 'Not Valid' }), 'NAME_INVALID');
    await problem(ask('/api/v1/repos', { method: 'POST', body: '{"repo":', headers: { 'content-type': 'application/json' } }), 'REQUEST_INVALID'); // prettier-ignore
    await problem(send('POST', '/api/v1/repos', { repo: 'x'.repeat(2 << 20) }), 'LIMIT_EXCEEDED');
    expect((await ask('/api/v1/repos/%ZZ')).status).toBe(400);
  });
});

describe('a repository', () => {
  it('is made once, with its genesis commit on its branch', async () => {
    const repo = freshRepo();
    const made = await read(
      schema.createdRepository,
      send('POST', '/api/v1/repos', { repo, defaultBranch: 'trunk' }),
      201,
    );
    expect(made).toMatchObject({ repo, defaultBranch: 'refs/heads/trunk', commits: 1, moves: 1, replayed: false });
    await problem(send('POST', '/api/v1/repos', { repo }), 'REPOSITORY_EXISTS');
    expect(await read(schema.repository, ask(pathOf(repo)))).toMatchObject({ repo, commits: 1 });
    expect((await read(schema.repositories, ask('/api/v1/repos'))).repositories.map((each) => each.repo)).toContain(
      repo,
    );
    const { refs } = await read(schema.refs, ask(pathOf(repo, 'refs')));
    expect(refs).toEqual([{ ref: 'refs/heads/trunk', name: 'trunk', type: 'branch', commit: genesis.id, version: 1 }]);
    expect((await problem(ask(pathOf(`${repo}x`)), 'REPOSITORY_UNKNOWN')).suggestions).toContain(repo);
  });

  it('is made by a retry under the same key only once, and another request under it is refused', async () => {
    const repo = freshRepo();
    const key = { 'idempotency-key': `key-${repo}` };
    const first = await read(schema.createdRepository, send('POST', '/api/v1/repos', { repo }, key), 201);
    const again = await read(schema.createdRepository, send('POST', '/api/v1/repos', { repo }, key), 201);
    expect(again).toEqual({ ...first, replayed: true });
    await problem(send('POST', '/api/v1/repos', { repo, defaultBranch: 'other' }, key), 'IDEMPOTENCY_KEY_REUSED');
    await problem(send('POST', '/api/v1/repos', { repo }, { 'idempotency-key': 'with space' }), 'REQUEST_INVALID');
  });
});

describe('a ref', () => {
  it('moves by compare-and-swap, and every move is in the reflog with who and why', async () => {
    const repo = await create();
    const next = await read(schema.createdCommit, commit(repo, 'message=one'), 201);
    const main = pathOf(repo, 'refs', 'heads/main');
    const answer = await ask(main);
    const etag = answer.headers.get('etag') as string;
    expect(etag).toBe(`"${next.commit}.${next.version}"`);
    expect((await ask(main, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect(await read(schema.ref, ask(pathOf(repo, 'refs', 'main')))).toMatchObject({ ref: 'refs/heads/main' });

    await problem(send('PUT', main, { to: 'main~1' }), 'NOT_FAST_FORWARD');
    const stale = await problem(
      send('PUT', main, { to: 'main~1', mode: 'force' }, { 'if-match': `"${next.commit}.1"` }),
      'REF_STALE',
      412,
    );
    expect(stale.fields['actual']).toEqual({ commit: next.commit, version: next.version });
    const moved = await read(
      schema.movedRef,
      send(
        'PUT',
        main,
        { to: 'main~1', mode: 'force', reason: 'too early', operation: 'reset' },
        { 'if-match': etag, 'varve-actor': Buffer.from('Zoë').toString('latin1') },
      ),
    );
    expect(moved).toMatchObject({ commit: genesis.id, from: next.commit, changed: true, version: next.version + 1 });
    await problem(send('PUT', main, { to: next.commit }, { 'if-match': etag }), 'REF_STALE', 412);
    await problem(send('PUT', main, { to: next.commit }, { 'if-match': 'anything' }), 'REQUEST_INVALID');

    const { moves } = await read(schema.reflog, ask(`${pathOf(repo, 'reflog')}?ref=main&limit=1`));
    expect(moves).toMatchObject([
      {
        operation: 'reset',
        reason: 'too early',
        from: next.commit,
        to: genesis.id,
        actor: { name: 'Zoë', verified: false },
      },
    ]);
    const rest = await read(schema.reflog, ask(`${pathOf(repo, 'reflog')}?before=${moves[0]?.version}`));
    expect(rest.moves.map(({ operation }) => operation)).toEqual(['commit', 'init']);
    expect(rest.before).toBeNull();
  });

  it('is created only if it is not there, when asked so, also by a retry', async () => {
    const repo = await create();
    const tag = pathOf(repo, 'refs', 'tags/v1');
    const onlyNew = { 'if-none-match': '*', 'idempotency-key': `tag-${repo}` };
    const made = await read(schema.movedRef, send('PUT', tag, { to: 'main', operation: 'tag' }, onlyNew), 201);
    expect(made).toMatchObject({ type: 'tag', from: null, commit: genesis.id, changed: true });
    expect(await read(schema.movedRef, send('PUT', tag, { to: 'main', operation: 'tag' }, onlyNew), 201)).toEqual({
      ...made,
      replayed: true,
    });
    await problem(send('PUT', tag, { to: 'main' }, { 'if-none-match': '*' }), 'REF_STALE', 412);
    expect(await read(schema.movedRef, send('PUT', tag, { to: 'main' }))).toMatchObject({ changed: false });
    await read(schema.createdCommit, commit(repo, 'message=one'), 201);
    await problem(send('PUT', tag, { to: 'main' }), 'TAG_IMMUTABLE');
    await problem(send('PUT', pathOf(repo, 'refs', 'v1'), { to: 'main' }), 'NAME_INVALID');
    await problem(send('PUT', pathOf(repo, 'refs', 'heads/x'), { to: 'nowhere' }), 'REF_UNKNOWN');
    await problem(send('PUT', pathOf(repo, 'refs', 'heads/x'), { to: 'main' }, { 'if-match': '*' }), 'REF_STALE', 412);
  });

  it('is deleted, and its moves stay', async () => {
    const repo = await create();
    const branch = pathOf(repo, 'refs', 'heads/a/b');
    await read(schema.movedRef, send('PUT', branch, { to: 'main' }), 201);
    expect(await read(schema.movedRef, ask(`${branch}?reason=done`, { method: 'DELETE' }))).toMatchObject({
      commit: null,
      from: genesis.id,
    });
    await problem(ask(branch), 'REF_UNKNOWN');
    await problem(ask(branch, { method: 'DELETE' }), 'REF_UNKNOWN');
    const { moves } = await read(schema.reflog, ask(`${pathOf(repo, 'reflog')}?ref=a%2Fb`));
    expect(moves.map(({ operation, reason }) => [operation, reason])).toEqual([['delete', 'done'], ['update', '']]); // prettier-ignore
  });

  it('rolls back, and a rollback rolls back', async () => {
    const repo = await create();
    const one = await read(schema.createdCommit, commit(repo, 'message=one'), 201);
    const path = pathOf(repo, 'rollback');
    const back = await read(schema.movedRef, send('POST', path, { ref: 'main', to: genesis.id.slice(0, 12) }));
    expect(back).toMatchObject({ commit: genesis.id, from: one.commit });
    const undone = await read(schema.movedRef, send('POST', path, { ref: 'main', to: '@{1}' }));
    expect(undone).toMatchObject({ commit: one.commit, from: genesis.id });
    await read(schema.movedRef, send('PUT', pathOf(repo, 'refs', 'tags/v1'), { to: 'main' }), 201);
    await problem(send('POST', path, { ref: 'v1', to: 'main~1' }), 'TAG_IMMUTABLE');
    expect(await read(schema.movedRef, send('POST', path, { ref: 'v1', to: 'main~1', moveTag: true }))).toMatchObject({
      commit: genesis.id,
    });
    await problem(send('POST', path, { ref: 'nope', to: 'main' }), 'REF_UNKNOWN');
  });
});

describe('a commit', () => {
  it('takes a layer as the body, plain or compressed, with its fields in the query or in headers', async () => {
    const repo = await create();
    const first = await read(schema.createdCommit, commit(repo, 'message=base&author=A&time=2026-01-01T00:00:00Z&label=a=1&label=b=2', bytesOf(baseLayer.tar)), 201); // prettier-ignore
    expect(first.layer).toMatchObject({
      diffId: baseLayer.diffId,
      digest: baseLayer.diffId,
      tarBytes: baseLayer.tar.length,
    });
    const headers = {
      'varve-message': Buffer.from('größer').toString('latin1'),
      'varve-label': 'c=3',
      'content-type': 'application/gzip',
    };
    const second = await read(schema.createdCommit, commit(repo, '', bytesOf(appLayer.blob), headers), 201);
    expect(second.layer).toMatchObject({
      diffId: appLayer.diffId,
      digest: appLayer.digest,
      sizeBytes: appLayer.blob.length,
    });
    const third = await read(schema.createdCommit, commit(repo, 'message=only+words'), 201);
    expect(third.layer).toBeNull();

    const shown = await read(schema.shownCommit, ask(pathOf(repo, 'commits', 'main~2')));
    expect(shown).toMatchObject({ id: first.commit, message: 'base', author: 'A', time: '2026-01-01T00:00:00Z', labels: { a: '1', b: '2' }, layers: [baseLayer.diffId], ownBytes: baseLayer.tar.length }); // prettier-ignore
    const { commits, cursor } = await read(schema.log, ask(`${pathOf(repo, 'commits')}?limit=2`));
    expect(commits.map(({ id, message }) => [id, message])).toEqual([[third.commit, 'only words'], [second.commit, 'größer']]); // prettier-ignore
    const next = await read(schema.log, ask(`${pathOf(repo, 'commits')}?cursor=${cursor}&firstParent=true`));
    expect(next.commits.map(({ id }) => id)).toEqual([first.commit, genesis.id]);
    expect(await read(schema.resolved, ask(`${pathOf(repo, 'resolve')}?rev=${second.commit.slice(0, 8)}`))).toEqual({ commit: second.commit, ref: null, warning: null }); // prettier-ignore
    const { nodes } = await read(schema.treeView, ask(pathOf(repo, 'tree-view')));
    expect(nodes.map(({ virtualBytes }) => virtualBytes)).toEqual([
      0,
      first.layer?.tarBytes,
      shown.ownBytes + appLayer.tar.length,
      shown.ownBytes + appLayer.tar.length,
    ]);
    expect((await read(schema.treeView, ask('/api/v1/tree-view'))).nodes.map(({ id }) => id)).toContain(third.commit);
  });

  it('is one commit, however often it is sent under one key', async () => {
    const repo = await create();
    const key = { 'idempotency-key': `commit-${repo}` };
    const first = await read(schema.createdCommit, commit(repo, 'message=m', bytesOf(baseLayer.tar), key), 201);
    expect(await read(schema.createdCommit, commit(repo, 'message=m', bytesOf(baseLayer.tar), key), 201)).toEqual({
      ...first,
      replayed: true,
    });
    await problem(commit(repo, 'message=m', bytesOf(appLayer.tar), key), 'IDEMPOTENCY_KEY_REUSED');
    expect((await read(schema.repository, ask(pathOf(repo)))).commits).toBe(2);
    expect(await staged()).toEqual([]);
  });

  it.each<readonly [string, string, Uint8Array, keyof typeof errorRendering, number]>([
    ['a layer cut short', 'message=m', baseLayer.tar.subarray(0, 700), 'LAYER_INVALID', 422],
    ['a layer that is no tar', 'message=m', Buffer.from('no tar at all'), 'LAYER_INVALID', 422],
    ['a gzip layer with a broken end', 'message=m', gzipSync(baseLayer.tar).subarray(0, -6), 'LAYER_INVALID', 422],
    ['a name that escapes', 'message=m', layer({ '../evil': 'x' }).tar, 'LAYER_INVALID', 422],
    ['a stale expectation', `message=m&expect=${genesis.id}.7`, baseLayer.tar, 'REF_STALE', 409],
    ['a label without a value', 'label=x', baseLayer.tar, 'REQUEST_INVALID', 400],
    ['a time that is none', 'time=yesterday', baseLayer.tar, 'COMMIT_INVALID', 422],
  ])('refuses %s and leaves nothing behind', async (_, query, body, code, status) => {
    const repo = await create();
    await problem(commit(repo, query, bytesOf(body)), code, status);
    expect(await staged()).toEqual([]);
    expect((await read(schema.repository, ask(pathOf(repo)))).commits).toBe(1);
  });

  it('lets a client that still uploads read why it was refused', async () => {
    const large = bytesOf(Buffer.alloc(32 << 20, 'x'));
    await problem(commit('case/nowhere', 'message=m', large), 'REPOSITORY_UNKNOWN');
    const repo = await create();
    await problem(commit(repo, 'message=m', large), 'LAYER_INVALID');
    expect(await staged()).toEqual([]);
  });

  it('comes from a stream of unknown length that waits for 100 Continue', async () => {
    const repo = await create();
    const request = httpRequest(`${server.url}${pathOf(repo, 'branches', 'main', 'commits')}?message=m`, {
      method: 'POST',
      headers: { expect: '100-continue', 'transfer-encoding': 'chunked' },
    });
    request.flushHeaders();
    await once(request, 'continue');
    for (let at = 0; at < baseLayer.tar.length; at += 100) request.write(baseLayer.tar.subarray(at, at + 100));
    request.end();
    const [response] = (await once(request, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(201);
  });

  embedded('an object store shows nothing of it before it is sealed').it(
    'leaves nothing of an upload that breaks off',
    async () => {
      const repo = await create();
      const request = httpRequest(`${server.url}${pathOf(repo, 'branches', 'main', 'commits')}?message=m`, {
        method: 'POST',
        headers: { 'content-length': 64 << 20 },
      });
      request.on('error', () => undefined);
      const whole = layer({ large: randomBytesOf(1, 8 << 20) }).tar;
      request.write(whole.subarray(0, 4 << 20));
      await until(async () => (await staged()).length > 0);
      request.destroy();
      await until(async () => (await staged()).length === 0);
      expect((await read(schema.repository, ask(pathOf(repo)))).commits).toBe(1);
    },
  );
});

describe('rootfs.tar', () => {
  const body = randomBytesOf(7, 5_000_001);
  let path: string;
  let whole: Buffer;
  let etag: string;

  beforeAll(async () => {
    const repo = await create();
    await read(schema.createdCommit, commit(repo, 'message=base', bytesOf(layer({ 'etc/': null, 'etc/motd': 'hello\n', 'large.bin': body, old: 'x' }).tar)), 201); // prettier-ignore
    await read(
      schema.createdCommit,
      commit(repo, 'message=top', bytesOf(layer({ '.wh.old': '', 'etc/motd': 'bye\n' }, 'gzip').blob)),
      201,
    );
    path = pathOf(repo, 'commits', 'main', 'rootfs.tar');
    const answer = await ask(path);
    whole = Buffer.from(await answer.arrayBuffer());
    etag = answer.headers.get('etag') as string;
  });

  it('is the union of the stack, with its exact length told before', async () => {
    const head = await ask(path, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get('content-length'))).toBe(whole.length);
    expect(head.headers.get('etag')).toBe(etag);
    expect(etag).toMatch(/^"u1w1-[0-9a-f]{64}"$/);
    expect(head.headers.get('accept-ranges')).toBe('bytes');
    const names = execFileSync('tar', ['-t'], { input: whole }).toString().split('\n').filter(Boolean);
    expect(names).toEqual(['etc/', 'etc/motd', 'large.bin']);
    expect(execFileSync('tar', ['-xO', 'etc/motd'], { input: whole }).toString()).toBe('bye\n');
    expect(execFileSync('tar', ['-xO', 'large.bin'], { input: whole, maxBuffer: 16 << 20 }).equals(body)).toBe(true);
  });

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=511-1024', 511, 1025],
    ['bytes=1000000-3000000', 1_000_000, 3_000_001],
    ['bytes=-1536', -1536, undefined],
    ['bytes=4999000-', 4_999_000, undefined],
  ])('gives %s', async (range, from, to) => {
    const answer = await ask(path, { headers: { range } });
    expect(answer.status).toBe(206);
    const expected = whole.subarray(from, to);
    const start = from < 0 ? whole.length + from : from;
    expect(answer.headers.get('content-range')).toBe(`bytes ${start}-${start + expected.length - 1}/${whole.length}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(expected)).toBe(true);
  });

  it('gives everything for several ranges, and for a range of other bytes', async () => {
    const headers: Record<string, string>[] = [
      { range: 'bytes=0-1,5-6' },
      { range: 'bytes=0-1', 'if-range': '"u0w0-00"' },
    ];
    for (const each of headers) {
      const answer = await ask(path, { headers: each });
      expect(answer.status).toBe(200);
      expect((await answer.arrayBuffer()).byteLength).toBe(whole.length);
    }
    expect((await ask(path, { headers: { range: 'bytes=0-1', 'if-range': etag } })).status).toBe(206);
  });

  it('answers conditions: 304, 412, 416', async () => {
    const known = await ask(path, { headers: { 'if-none-match': etag } });
    expect([known.status, known.headers.get('etag'), await known.text()]).toEqual([304, etag, '']);
    await problem(ask(path, { headers: { 'if-match': '"u1w1-00"' } }), 'REF_STALE', 412);
    expect((await ask(path, { headers: { 'if-match': etag }, method: 'HEAD' })).status).toBe(200);
    const beyond = await ask(path, { headers: { range: `bytes=${whole.length}-` } });
    expect(beyond.headers.get('content-range')).toBe(`bytes */${whole.length}`);
    await problem(Promise.resolve(beyond), 'RANGE_INVALID');
    const missing = await ask(path.replace('/main/', '/nope/'), { method: 'HEAD' });
    expect([missing.status, missing.headers.get('varve-error')]).toEqual([404, 'REF_UNKNOWN']);
  });

  it('has the same ETag for the same stack, whatever the commit says', async () => {
    const repo = await create();
    const genesisTag = (await ask(pathOf(repo, 'commits', 'main', 'rootfs.tar'))).headers.get('etag');
    await read(schema.createdCommit, commit(repo, 'message=words'), 201);
    const answer = await ask(pathOf(repo, 'commits', 'main', 'rootfs.tar'));
    expect(answer.headers.get('etag')).toBe(genesisTag);
    expect(execFileSync('tar', ['-t'], { input: Buffer.from(await answer.arrayBuffer()) }).toString()).toBe('');
  });

  embedded('it damages a file of the store').it(
    'stops when the client leaves, and cuts the connection when stored bytes turn out to be lost',
    async () => {
      const repo = await create();
      const big = layer({ 'big.bin': Buffer.alloc(64 << 20, 'x') });
      await read(schema.createdCommit, commit(repo, 'message=big', bytesOf(big.tar)), 201);
      const bigPath = pathOf(repo, 'commits', 'main', 'rootfs.tar');
      const request = httpRequest(server.url + bigPath).end();
      const [response] = (await once(request, 'response')) as [{ destroy(): void }];
      response.destroy();
      await until(() => Promise.resolve(/rootfs\.tar","status":200,"code":"CANCELLED"/.test(server.output())));
      expect((await (await ask(bigPath)).arrayBuffer()).byteLength).toBeGreaterThan(64 << 20);

      const hex = big.diffId.slice('sha256:'.length);
      const folder = join(server.data, 'blobs/sha256', hex.slice(0, 2), hex);
      for (const incarnation of await readdir(folder)) await truncate(join(folder, incarnation), 32 << 20);
      const cut = await ask(bigPath);
      expect(cut.status).toBe(200);
      await expect(cut.arrayBuffer()).rejects.toThrow();
      expect((await ask(path)).status).toBe(200);
    },
  );
});

describe('an archive', () => {
  it('is loaded where its names say, or into one repository; the second time adds nothing', async () => {
    const repo = freshRepo();
    const bytes = bytesOf(archiveOf(dockerArchive([appImage])));
    const path = pathOf(repo, 'archives');
    const first = await read(schema.loaded, ask(path, { method: 'POST', body: bytes }), 201);
    expect(first.repositories).toMatchObject([{ repo, isNew: true, commitsNew: 4 }]);
    const again = await read(schema.loaded, ask(path, { method: 'POST', body: bytes }), 201);
    expect(again.repositories).toMatchObject([{ repo, isNew: false, commitsNew: 0, layersNew: 0 }]);
    const shown = await read(schema.shownCommit, ask(pathOf(repo, 'commits', 'latest')));
    expect(shown.configuration).toMatchObject({ rootfs: { type: 'layers' } });
    const named = await read(
      schema.loaded,
      ask('/api/v1/archives', { method: 'POST', body: bytesOf(archiveOf(dockerArchive([webImage]))) }),
      201,
    );
    expect(named.images).toMatchObject([{ repo: 'web', refs: ['refs/tags/latest'] }]);

    const config = await ask(pathOf(repo, 'blobs', shown.config as string));
    expect(await config.json()).toEqual(shown.configuration);
    const part = await ask(pathOf(repo, 'blobs', shown.config as string), { headers: { range: 'bytes=0-0' } });
    expect([part.status, await part.text()]).toEqual([206, '{']);
    await problem(ask(pathOf(repo, 'blobs', genesis.id)), 'DIGEST_INVALID');
    await problem(ask(pathOf(repo, 'blobs', `sha256:${'0'.repeat(64)}`)), 'BLOB_UNKNOWN');
  });

  it('that is none, or is cut short, is refused and leaves nothing behind', async () => {
    const repo = freshRepo();
    const bytes = archiveOf(dockerArchive([appImage]));
    await problem(ask(pathOf(repo, 'archives'), { method: 'POST' }), 'ARCHIVE_INVALID');
    for (const broken of [Buffer.from('nothing'), bytes.subarray(0, 3000), Buffer.alloc(4096)]) {
      await problem(ask(pathOf(repo, 'archives'), { method: 'POST', body: bytesOf(broken) }), 'ARCHIVE_INVALID');
    }
    await problem(
      ask(`${pathOf(repo, 'archives')}?platform=linux`, { method: 'POST', body: bytesOf(bytes) }),
      'REQUEST_INVALID',
    );
    await problem(ask(pathOf(repo)), 'REPOSITORY_UNKNOWN');
    expect(await staged()).toEqual([]);
  });
});

describe('a position', () => {
  it('is waited for, and never answered with less', async () => {
    const repo = await create();
    const position = (await ask(pathOf(repo))).headers.get('varve-position') as string;
    expect((await ask(pathOf(repo), { headers: { 'varve-min-position': position } })).status).toBe(200);
    await problem(ask(pathOf(repo), { headers: { 'varve-min-position': 'other.0.1' } }), 'POSITION_UNKNOWN');
    await problem(ask(pathOf(repo), { headers: { 'varve-min-position': 'no position' } }), 'NAME_INVALID');
    const ahead = position.replace(/\d+$/, (offset) => String(Number(offset) + 1));
    const early = await ask(pathOf(repo), { headers: { 'varve-min-position': ahead } });
    expect(early.headers.get('retry-after')).toBe('1');
    await problem(Promise.resolve(early), 'NOT_PROJECTED');
    const waiting = ask(pathOf(repo), { headers: { 'varve-min-position': ahead } });
    await read(schema.createdCommit, commit(repo, 'message=m'), 201);
    expect(await read(schema.repository, waiting)).toMatchObject({ commits: 2 });
  });
});

describe('the graph', () => {
  it('tells the outcome of a transaction', async () => {
    const repo = await create();
    const { moves } = await read(schema.reflog, ask(pathOf(repo, 'reflog')));
    const told = await read(schema.transaction, ask(`/api/v1/transactions/${moves[0]?.txid}`));
    expect(told).toMatchObject({
      repo,
      outcome: 'accepted',
      commits: [genesis.id],
      position: moves[0]?.position,
      error: null,
    });
    await problem(ask('/api/v1/transactions/none'), 'TRANSACTION_UNKNOWN');
  });

  it('ends a transaction that nobody knows of, and not one that took effect', async () => {
    const repo = await create();
    const cancel = (txid: string, body: object) =>
      ask(`/api/v1/transactions/${txid}/cancel`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      });
    const lost = 'ab'.repeat(16);
    await problem(ask(`/api/v1/transactions/${lost}?gcEpoch=0`), 'TRANSACTION_UNKNOWN');
    expect(await read(schema.transaction, cancel(lost, { repo, gcEpoch: 0 }))).toMatchObject({
      outcome: 'rejected',
      error: { code: 'TRANSACTION_CANCELLED' },
    });
    const ended = await read(schema.transaction, ask(`/api/v1/transactions/${lost}`));
    expect(ended).toMatchObject({ txid: lost, repo, error: { code: 'TRANSACTION_CANCELLED' } });

    const { moves } = await read(schema.reflog, ask(pathOf(repo, 'reflog')));
    const made = moves[0]?.txid as string;
    expect(await read(schema.transaction, cancel(made, { repo }))).toMatchObject({ txid: made, outcome: 'accepted' });
    await problem(cancel('none', { repo }), 'REQUEST_INVALID');
    await problem(cancel(lost, { repo: 'nowhere' }), 'REPOSITORY_UNKNOWN');
  });

  it('is the same after it is made again from the log', async () => {
    const before = await read(schema.state, ask('/api/v1/state'));
    const rebuilt = await read(schema.rebuilt, ask('/api/v1/rebuild', { method: 'POST' }));
    expect(rebuilt).toMatchObject({ sameAsBefore: true, stateDigest: before.partitions[0]?.stateDigest });
    expect(await read(schema.state, ask('/api/v1/state'))).toEqual(before);
  });
});

embedded('the log is a file that it deletes').describe('a server whose log has lost records', () => {
  it('says that it is not ready, reads what the graph has, and refuses writes', async () => {
    const data = await mkdtemp(join(tmpdir(), 'varve-halted-'));
    const whole = await startServer({ data });
    await fetch(`${whole.url}/api/v1/repos`, {
      method: 'POST',
      body: '{"repo":"kept"}',
      headers: { 'content-type': 'application/json' },
    });
    await whole.stop();
    for (const end of ['', '-wal', '-shm']) await rm(join(data, `log.db${end}`), { force: true });

    const { url, said, stop } = await startHalted(data);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'failed', reason: expect.stringContaining('not whole') as string },
    ]);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(await (await fetch(`${url}/api/v1/repos`)).json()).toMatchObject({ repositories: [{ repo: 'kept' }] });
    const refused = await fetch(`${url}/api/v1/repos`, { method: 'POST', body: '{"repo":"new"}', headers: { 'content-type': 'application/json' } }); // prettier-ignore
    expect(await refused.json()).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(said()).toContain('"code":"LOG_TRUNCATED"');
    expect(await stop()).toBe(0);
    await rm(data, { recursive: true });
  });
});

embedded('the log is a file that it changes').describe('a server whose clock is behind its log', () => {
  it('says so, reads what is before, and refuses writes', async () => {
    const data = await mkdtemp(join(tmpdir(), 'varve-ahead-'));
    const post = (url: string, repo: string) =>
      fetch(`${url}/api/v1/repos`, {
        method: 'POST',
        body: JSON.stringify({ repo }),
        headers: { 'content-type': 'application/json' },
      });
    const right = await startServer({ data });
    await post(right.url, 'before');
    await post(right.url, 'later');
    await right.stop();
    const log = new DatabaseSync(join(data, 'log.db'));
    log.exec('UPDATE record SET time = time + 3600000 WHERE CAST(bytes AS TEXT) LIKE \'%"subject":"later"%\'');
    log.close();
    for (const end of ['', '-wal', '-shm']) await rm(join(data, `graph.db${end}`), { force: true });

    const { url, said, stop } = await startHalted(data);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'failed', reason: expect.stringMatching(/record \d+ .* set the clock that is wrong/) as string },
    ]);
    expect(await (await fetch(`${url}/api/v1/repos`)).json()).toMatchObject({ repositories: [{ repo: 'before' }] });
    expect(await (await post(url, 'new')).json()).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(said()).toContain('"code":"LOG_TIME_AHEAD"');
    expect(await stop()).toBe(0);
    await rm(data, { recursive: true });
  });
});

/** A server that listens and is not ready. */
async function startHalted(data: string) {
  const env = cleanEnvironment({ VARVE_LISTEN: '127.0.0.1:0', VARVE_DATA: data });
  const child = spawn(process.execPath, [join(projectRoot, 'dist/apps/standalone/src/main.js')], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const listening = /http:\/\/127\.0\.0\.1:\d+/;
  await until(() => Promise.resolve(listening.test(output)));
  const stop = async (): Promise<unknown> => {
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    return (await closed)[0];
  };
  return { url: listening.exec(output)?.[0] as string, said: () => output, stop };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 500; n++) {
    if (await holds()) return;
    await delay(20);
  }
  throw new Error('it did not happen within 10 s');
}
