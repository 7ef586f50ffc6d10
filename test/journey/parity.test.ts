import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import type { MethodDefinition } from '@grpc/grpc-js';
import type { ErrorCode } from '#core/error';
import { renderingOf } from '#edge/error-rendering';
import * as admin from '#proto/gen/varve/v1/admin';
import * as archive from '#proto/gen/varve/v1/archive';
import * as audit from '#proto/gen/varve/v1/audit';
import * as blob from '#proto/gen/varve/v1/blob';
import * as checkout from '#proto/gen/varve/v1/checkout';
import * as commit from '#proto/gen/varve/v1/commit';
import * as diff from '#proto/gen/varve/v1/diff';
import * as eventlog from '#proto/gen/varve/v1/eventlog';
import * as jobs from '#proto/gen/varve/v1/job';
import * as layerService from '#proto/gen/varve/v1/layer';
import * as ref from '#proto/gen/varve/v1/ref';
import * as repository from '#proto/gen/varve/v1/repo';
import * as tree from '#proto/gen/varve/v1/tree';
import * as watch from '#proto/gen/varve/v1/watch';
import { archiveOf, dockerArchive } from '../fixture/archive-builder.js';
import { layer } from '../fixture/layer-builder.js';
import { appImage } from './harness/archives.js';
import { grpcAddress, GrpcCaller } from './harness/grpc.js';
import { isCluster } from './harness/mode.js';
import { projectRoot, type Server, startServer } from './harness/server.js';

/** One command, asked at both doors, of a repository of its own for each: `parity-rest` and `parity-grpc`. */
interface Twin {
  readonly route: string;
  readonly rpc: string;
  readonly rest: {
    readonly query?: Readonly<Record<string, string>>;
    readonly path?: Readonly<Record<string, string>>;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Buffer | object;
  };
  readonly grpc: { readonly method: MethodDefinition<never, unknown>; readonly requests: readonly object[] };
  /** What both answers are made of, where it is not the messages as they are. */
  readonly answer?: (messages: readonly unknown[]) => unknown;
  readonly fails?: ErrorCode;
}

const first = layer({ 'etc/': null, 'etc/motd': 'hello\n', 'bin/': null, 'bin/sh': 'x'.repeat(3_000) });
const second = layer({ 'etc/motd': 'bye\n', 'etc/link': { link: 'motd' }, 'bin/.wh.sh': '' });
const rootfs = layer({ 'srv/': null, 'srv/page': '<h1>hi</h1>' });
const loaded = archiveOf(dockerArchive([appImage]));
const time = '2026-01-02T03:04:05Z';

let server: Server;
let grpc: GrpcCaller;
/** What earlier commands told. */
let tarball = '';
let tarballPlace = '';
let job = '';
let record = '';
beforeAll(async () => {
  server = await startServer({ isAudited: true });
  grpc = new GrpcCaller(grpcAddress(server));
});
afterAll(async () => {
  grpc.close();
  await server.stop();
});

const restRepo = 'parity-rest';
const grpcRepo = 'parity-grpc';
const rev = { rev: 'main' };
const method = (definition: unknown) => definition as MethodDefinition<never, unknown>;
const repo = grpcRepo;

/** In this order: later commands ask about what earlier ones did. */
const twins: readonly Twin[] = [
  {
    route: 'POST /api/v1/repos',
    rpc: 'RepoService/CreateRepo',
    rest: { body: { repo: restRepo } },
    grpc: {
      method: method(repository.RepoServiceService.createRepo),
      requests: [repository.CreateRepoRequest.create({ repo })],
    },
    answer: ([made]) => flat(made, 'repository', 'written'),
  },
  {
    route: 'POST /api/v1/repos',
    rpc: 'RepoService/CreateRepo',
    rest: { body: { repo: restRepo } },
    grpc: {
      method: method(repository.RepoServiceService.createRepo),
      requests: [repository.CreateRepoRequest.create({ repo })],
    },
    fails: 'REPOSITORY_EXISTS',
  },
  {
    route: 'GET /api/v1/repos/{repo}',
    rpc: 'RepoService/GetRepo',
    rest: {},
    grpc: {
      method: method(repository.RepoServiceService.getRepo),
      requests: [repository.GetRepoRequest.create({ repo })],
    },
    answer: ([found]) => flat(found, 'repository'),
  },
  {
    route: 'GET /api/v1/repos/{repo}',
    rpc: 'RepoService/GetRepo',
    rest: { path: { repo: 'No Name' } },
    grpc: {
      method: method(repository.RepoServiceService.getRepo),
      requests: [repository.GetRepoRequest.create({ repo: 'No Name' })],
    },
    fails: 'NAME_INVALID',
  },
  commitTwin({ message: 'first', body: first.tar, labels: { a: '1', b: '2' } }),
  commitTwin({ message: 'second', body: gzipSync(second.tar) }),
  commitTwin({ message: 'nothing new', body: null }),
  commitTwin({ message: 'the first again', body: null, stored: first.diffId }),
  commitTwin({ message: 'no such layer', body: null, stored: 'f'.repeat(64), fails: 'BLOB_UNKNOWN' }),
  commitTwin({ message: 'both', body: first.tar, stored: first.diffId, fails: 'REQUEST_INVALID' }),
  commitTwin({ message: 'no tar', body: Buffer.alloc(5_000, 1), fails: 'LAYER_INVALID' }),
  commitTwin({ message: 'cut', body: gzipSync(first.tar).subarray(0, 50), fails: 'LAYER_INVALID' }),
  commitTwin({ message: 'elsewhere', body: null, branch: 'none', fails: 'REF_UNKNOWN' }),
  {
    route: 'GET /api/v1/repos/{repo}/commits',
    rpc: 'CommitService/ListCommits',
    rest: { query: { limit: '2' } },
    grpc: {
      method: method(commit.CommitServiceService.listCommits),
      requests: [commit.ListCommitsRequest.create({ repo, pageSize: 2 })],
    },
    answer: ([page]) => page,
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits',
    rpc: 'CommitService/ListCommits',
    rest: { query: { limit: '0' } },
    grpc: {
      method: method(commit.CommitServiceService.listCommits),
      requests: [commit.ListCommitsRequest.create({ repo, pageSize: 0 })],
    },
    fails: 'REQUEST_INVALID',
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}',
    rpc: 'CommitService/GetCommit',
    rest: { path: { rev: 'main~2' } },
    grpc: {
      method: method(commit.CommitServiceService.getCommit),
      requests: [commit.GetCommitRequest.create({ repo, rev: 'main~2' })],
    },
    answer: ([shown]) => {
      const { configurationJson, index, ...rest } = flat(shown, 'commit') as { configurationJson?: string; index: [] };
      const configuration = configurationJson && (JSON.parse(configurationJson) as unknown);
      return { ...rest, configuration, index: index.length === 0 ? null : index };
    },
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}',
    rpc: 'CommitService/GetCommit',
    rest: { path: { rev: 'main~99' } },
    grpc: {
      method: method(commit.CommitServiceService.getCommit),
      requests: [commit.GetCommitRequest.create({ repo, rev: 'main~99' })],
    },
    fails: 'COMMIT_UNKNOWN',
  },
  {
    route: 'GET /api/v1/repos/{repo}/resolve',
    rpc: 'CommitService/Resolve',
    rest: { query: rev },
    grpc: {
      method: method(commit.CommitServiceService.resolve),
      requests: [commit.ResolveRequest.create({ repo, ...rev })],
    },
    answer: ([resolved]) => resolved,
  },
  {
    route: 'GET /api/v1/repos/{repo}/resolve',
    rpc: 'CommitService/Resolve',
    rest: { query: { rev: 'nobody' } },
    grpc: {
      method: method(commit.CommitServiceService.resolve),
      requests: [commit.ResolveRequest.create({ repo, rev: 'nobody' })],
    },
    fails: 'REF_UNKNOWN',
  },
  {
    route: 'GET /api/v1/repos/{repo}/merge-base',
    rpc: 'CommitService/MergeBase',
    rest: { query: { a: 'main', b: 'main~2' } },
    grpc: {
      method: method(commit.CommitServiceService.mergeBase),
      requests: [commit.MergeBaseRequest.create({ repo, a: 'main', b: 'main~2' })],
    },
    answer: ([found]) => found,
  },
  moveTwin({ name: 'heads/fix', to: 'main~1' }),
  moveTwin({ name: 'tags/v1', to: 'main~2', operation: 'tag' }),
  moveTwin({ name: 'tags/v1', to: 'main', fails: 'TAG_IMMUTABLE' }),
  moveTwin({ name: 'heads/main', to: 'main~1', fails: 'NOT_FAST_FORWARD' }),
  moveTwin({ name: 'heads/main', to: 'main~1', mode: 'force', operation: 'reset', fails: 'EXPECTATION_REQUIRED' }),
  rollbackTwin({ ref: 'main', to: 'main~1' }),
  batchTwin([
    { ref: 'heads/fix', to: 'main' },
    { ref: 'heads/both', to: 'main' },
    { ref: 'tags/both', to: 'main' },
  ]),
  batchTwin([
    { ref: 'heads/both', to: null },
    { ref: 'tags/both', to: null },
  ]),
  batchTwin(
    [
      { ref: 'heads/fix', to: 'main' },
      { ref: 'heads/none', to: null },
    ],
    'REF_UNKNOWN',
  ),
  batchTwin([], 'REQUEST_INVALID'),
  restoreTwin('heads/both'),
  restoreTwin('heads/both', 'REF_STALE'),
  moveTwin({ name: 'tags/both', to: 'main~1', fails: 'TAG_TOMBSTONED' }),
  moveTwin({ name: 'heads/fix', to: 'main', absent: true, fails: 'REF_STALE' }),
  moveTwin({ name: 'fix', to: 'main', fails: 'NAME_INVALID' }),
  {
    route: 'GET /api/v1/repos/{repo}/refs',
    rpc: 'RefService/ListRefs',
    rest: {},
    grpc: { method: method(ref.RefServiceService.listRefs), requests: [ref.ListRefsRequest.create({ repo })] },
    answer: ([refs]) => refs,
  },
  {
    route: 'GET /api/v1/repos/{repo}/refs',
    rpc: 'RefService/ListRefs',
    rest: { query: { contains: 'main~1' } },
    grpc: {
      method: method(ref.RefServiceService.listRefs),
      requests: [ref.ListRefsRequest.create({ repo, contains: 'main~1' })],
    },
    answer: ([refs]) => refs,
  },
  {
    route: 'GET /api/v1/repos/{repo}/refs',
    rpc: 'RefService/ListRefs',
    rest: { query: { contains: 'main~99' } },
    grpc: {
      method: method(ref.RefServiceService.listRefs),
      requests: [ref.ListRefsRequest.create({ repo, contains: 'main~99' })],
    },
    fails: 'COMMIT_UNKNOWN',
  },
  {
    route: 'GET /api/v1/repos/{repo}/refs/{ref}',
    rpc: 'RefService/GetRef',
    rest: { path: { ref: 'fix' } },
    grpc: { method: method(ref.RefServiceService.getRef), requests: [ref.GetRefRequest.create({ repo, ref: 'fix' })] },
    answer: ([found]) => flat(found, 'ref'),
  },
  {
    route: 'GET /api/v1/repos/{repo}/refs/{ref}',
    rpc: 'RefService/GetRef',
    rest: { path: { ref: 'lost' } },
    grpc: { method: method(ref.RefServiceService.getRef), requests: [ref.GetRefRequest.create({ repo, ref: 'lost' })] },
    fails: 'REF_UNKNOWN',
  },
  rollbackTwin({ ref: 'main', to: '@{1}', reason: 'oops' }),
  rollbackTwin({ ref: 'v1', to: 'main' }, 'TAG_IMMUTABLE'),
  {
    route: 'DELETE /api/v1/repos/{repo}/refs/{ref}',
    rpc: 'RefService/DeleteRef',
    rest: { path: { ref: 'heads/fix' }, query: { reason: 'done' } },
    grpc: {
      method: method(ref.RefServiceService.deleteRef),
      requests: [ref.DeleteRefRequest.create({ repo, ref: 'heads/fix', reason: 'done' })],
    },
    answer: movedAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/reflog',
    rpc: 'RefService/ListReflog',
    rest: { query: { ref: 'main', limit: '3' } },
    grpc: {
      method: method(ref.RefServiceService.listReflog),
      requests: [ref.ListReflogRequest.create({ repo, ref: 'main', pageSize: 3 })],
    },
    answer: ([page]) => {
      const { moves, before } = page as ref.ListReflogResponse;
      return { moves: moves.map(({ previousCommit: from, commit: to, ...move }) => ({ ...move, from, to })), before };
    },
  },
  {
    route: 'GET /api/v1/repos/{repo}/tree/{rev}',
    rpc: 'TreeService/ListTree',
    rest: { path: rev, query: { recursive: 'true' } },
    grpc: {
      method: method(tree.TreeServiceService.listTree),
      requests: [tree.ListTreeRequest.create({ repo, ...rev, recursive: true })],
    },
    answer: ([page]) => ({
      ...(page as tree.ListTreeResponse),
      entries: (page as tree.ListTreeResponse).entries.map(entryAnswer),
    }),
  },
  {
    route: 'GET /api/v1/repos/{repo}/tree/{rev}',
    rpc: 'TreeService/ListTree',
    rest: { path: rev, query: { path: 'no/where' } },
    grpc: {
      method: method(tree.TreeServiceService.listTree),
      requests: [tree.ListTreeRequest.create({ repo, ...rev, path: Buffer.from('no/where') })],
    },
    fails: 'PATH_UNKNOWN',
  },
  {
    route: 'GET /api/v1/repos/{repo}/tree/{rev}/content',
    rpc: 'TreeService/ReadFile',
    rest: { path: rev, query: { path: 'etc/motd' } },
    grpc: {
      method: method(tree.TreeServiceService.readFile),
      requests: [tree.ReadFileRequest.create({ repo, ...rev, path: Buffer.from('etc/motd') })],
    },
    answer: bytesAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/tree/{rev}/content',
    rpc: 'TreeService/ReadFile',
    rest: { path: rev, query: { path: 'etc/motd' }, headers: { range: 'bytes=999-' } },
    grpc: {
      method: method(tree.TreeServiceService.readFile),
      requests: [tree.ReadFileRequest.create({ repo, ...rev, path: Buffer.from('etc/motd'), part: { offset: 999 } })],
    },
    fails: 'RANGE_INVALID',
  },
  {
    route: 'GET /api/v1/repos/{repo}/find',
    rpc: 'TreeService/Find',
    rest: { query: { rev: 'main~2', name: '*' } },
    grpc: {
      method: method(tree.TreeServiceService.find),
      requests: [tree.FindRequest.create({ repo, rev: 'main~2', name: '*' })],
    },
    answer: (messages) => linesOf(messages).flatMap(entriesAnswer),
  },
  {
    route: 'GET /api/v1/repos/{repo}/diff',
    rpc: 'DiffService/Diff',
    rest: { query: { from: 'main~2', to: 'main~1' } },
    grpc: {
      method: method(diff.DiffServiceService.diff),
      requests: [diff.DiffRequest.create({ repo, fromRev: 'main~2', toRev: 'main~1' })],
    },
    answer: (messages) => linesOf(messages).flatMap(diffAnswer),
  },
  {
    route: 'GET /api/v1/repos/{repo}/usage',
    rpc: 'RepoService/Usage',
    rest: {},
    grpc: { method: method(repository.RepoServiceService.usage), requests: [repository.UsageRequest.create({ repo })] },
    answer: (messages) => {
      const lines = linesOf(messages);
      const [{ type: _type, ...total } = { type: '' }] = lines.filter(({ type }) => type === 'total');
      return { refs: lines.filter(({ type }) => type === 'ref').map(({ type: _ref, ...one }) => one), ...total };
    },
  },
  {
    route: 'GET /api/v1/repos/{repo}/tree-view',
    rpc: 'RepoService/ImageTree',
    rest: {},
    grpc: {
      method: method(repository.RepoServiceService.imageTree),
      requests: [repository.ImageTreeRequest.create({ repo })],
    },
    answer: ([view]) => view,
  },
  {
    route: 'GET /api/v1/tree-view',
    rpc: 'RepoService/ImageTree',
    rest: {},
    grpc: {
      method: method(repository.RepoServiceService.imageTree),
      requests: [repository.ImageTreeRequest.create({})],
    },
    answer: ([view]) => view,
  },
  {
    route: 'GET /api/v1/repos/{repo}/layers/{layer}',
    rpc: 'LayerService/GetLayer',
    rest: { path: { layer: second.diffId } },
    grpc: {
      method: method(layerService.LayerServiceService.getLayer),
      requests: [layerService.GetLayerRequest.create({ repo, layer: second.diffId })],
    },
    answer: ([found]) => flat(found, 'layer'),
  },
  {
    route: 'GET /api/v1/repos/{repo}/layers/{layer}',
    rpc: 'LayerService/GetLayer',
    rest: { path: { layer: 'zz' } },
    grpc: {
      method: method(layerService.LayerServiceService.getLayer),
      requests: [layerService.GetLayerRequest.create({ repo, layer: 'zz' })],
    },
    fails: 'NAME_INVALID',
  },
  {
    route: 'GET /api/v1/repos/{repo}/layers/{layer}/entries',
    rpc: 'LayerService/ListEntries',
    rest: { path: { layer: second.diffId } },
    grpc: {
      method: method(layerService.LayerServiceService.listEntries),
      requests: [layerService.ListEntriesRequest.create({ repo, layer: second.diffId })],
    },
    answer: (messages) => linesOf(messages).flatMap(entriesAnswer),
  },
  {
    route: 'GET /api/v1/repos/{repo}/layers/{layer}/content',
    rpc: 'LayerService/ReadLayerFile',
    rest: { path: { layer: second.diffId }, query: { path: 'etc/link' } },
    grpc: {
      method: method(layerService.LayerServiceService.readLayerFile),
      requests: [
        layerService.ReadLayerFileRequest.create({ repo, layer: second.diffId, path: Buffer.from('etc/link') }),
      ],
    },
    answer: bytesAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/layers/{layer}/tar',
    rpc: 'LayerService/ReadTar',
    rest: { path: { layer: second.diffId }, headers: { range: 'bytes=100-' } },
    grpc: {
      method: method(layerService.LayerServiceService.readTar),
      requests: [layerService.ReadTarRequest.create({ repo, layer: second.diffId, part: { offset: 100 } })],
    },
    answer: bytesAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}/lints',
    rpc: 'LayerService/Lint',
    rest: { path: { rev: 'main~2' } },
    grpc: {
      method: method(layerService.LayerServiceService.lint),
      requests: [layerService.LintRequest.create({ repo, rev: 'main~2' })],
    },
    answer: (messages) => {
      const lines = linesOf(messages);
      const union = lines.find(({ type }) => type === 'union');
      return {
        commit: union?.['commit'],
        union: union?.['lints'],
        layers: lines.filter(({ type }) => type === 'layer').map(({ type: _type, ...one }) => one),
      };
    },
  },
  {
    route: 'GET /api/v1/repos/{repo}/blobs/{digest}',
    rpc: 'BlobService/ReadBlob',
    rest: { path: { digest: first.diffId } },
    grpc: {
      method: method(blob.BlobServiceService.readBlob),
      requests: [blob.ReadBlobRequest.create({ repo, digest: first.diffId })],
    },
    answer: bytesAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}/rootfs.tar',
    rpc: 'CheckoutService/Checkout',
    rest: { path: rev },
    grpc: {
      method: method(checkout.CheckoutServiceService.checkout),
      requests: [checkout.CheckoutRequest.create({ repo, ...rev })],
    },
    answer: bytesAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}/rootfs.tar',
    rpc: 'CheckoutService/Checkout',
    rest: { path: rev, headers: { range: 'bytes=700-1299' } },
    grpc: {
      method: method(checkout.CheckoutServiceService.checkout),
      requests: [checkout.CheckoutRequest.create({ repo, ...rev, part: { offset: 700, length: 600 } })],
    },
    answer: bytesAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}/rootfs.tar',
    rpc: 'CheckoutService/Checkout',
    rest: { path: rev, query: { format: 'tar.zst' } },
    grpc: {
      method: method(checkout.CheckoutServiceService.checkout),
      requests: [checkout.CheckoutRequest.create({ repo, ...rev, format: 'ROOTFS_FORMAT_TAR_ZST' })],
    },
    answer: bytesAnswer,
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}/rootfs.tar',
    rpc: 'CheckoutService/Checkout',
    rest: { path: rev, headers: { 'if-match': '"other"' } },
    grpc: {
      method: method(checkout.CheckoutServiceService.checkout),
      requests: [checkout.CheckoutRequest.create({ repo, ...rev, part: { ifMatch: '"other"' } })],
    },
    fails: 'REF_STALE',
  },
  {
    route: 'POST /api/v1/repos/{repo}/imports',
    rpc: 'ArchiveService/Import',
    rest: { query: { tag: 'flat', change: 'CMD ["/bin/sh"]', time }, body: rootfs.tar },
    grpc: {
      method: method(archive.ArchiveServiceService.import),
      requests: upload(archive.ImportRequest, { repo, tag: 'flat', changes: ['CMD ["/bin/sh"]'], time }, rootfs.tar),
    },
    answer: ([made]) => reportAnswer(flat(made, 'report')),
  },
  {
    route: 'POST /api/v1/repos/{repo}/archives',
    rpc: 'ArchiveService/Load',
    rest: { body: loaded },
    grpc: {
      method: method(archive.ArchiveServiceService.load),
      requests: upload(archive.LoadRequest, { repo }, loaded),
    },
    answer: ([made]) => reportAnswer(flat(made, 'report')),
  },
  {
    route: 'POST /api/v1/repos/{repo}/archives',
    rpc: 'ArchiveService/Load',
    rest: { body: first.tar },
    grpc: {
      method: method(archive.ArchiveServiceService.load),
      requests: upload(archive.LoadRequest, { repo }, first.tar),
    },
    fails: 'ARCHIVE_INVALID',
  },
  {
    route: 'POST /api/v1/archives',
    rpc: 'ArchiveService/Load',
    rest: {},
    grpc: {
      method: method(archive.ArchiveServiceService.load),
      requests: [archive.LoadRequest.create({ part: { $case: 'header', value: {} } })],
    },
    fails: 'ARCHIVE_INVALID',
  },
  {
    route: 'GET /api/v1/repos',
    rpc: 'RepoService/ListRepos',
    rest: {},
    grpc: {
      method: method(repository.RepoServiceService.listRepos),
      requests: [repository.ListReposRequest.create({})],
    },
    answer: ([list]) => list,
  },
  {
    route: 'GET /api/v1',
    rpc: 'AdminService/About',
    rest: {},
    grpc: { method: method(admin.AdminServiceService.about), requests: [admin.AboutRequest.create({})] },
    answer: ([about]) => about,
  },
  {
    route: 'GET /api/v1/state',
    rpc: 'AdminService/GetState',
    rest: {},
    grpc: { method: method(admin.AdminServiceService.getState), requests: [admin.GetStateRequest.create({})] },
    answer: ([state]) => state,
  },
  {
    route: 'GET /api/v1/transactions/{txid}',
    rpc: 'AdminService/GetTransaction',
    rest: { path: { txid: 'f'.repeat(32) } },
    grpc: {
      method: method(admin.AdminServiceService.getTransaction),
      requests: [admin.GetTransactionRequest.create({ txid: 'f'.repeat(32) })],
    },
    fails: 'TRANSACTION_UNKNOWN',
  },
  {
    route: 'POST /api/v1/transactions/{txid}/cancel',
    rpc: 'AdminService/CancelTransaction',
    rest: { path: { txid: 'none' }, body: { repo: restRepo } },
    grpc: {
      method: method(admin.AdminServiceService.cancelTransaction),
      requests: [admin.CancelTransactionRequest.create({ txid: 'none', repo })],
    },
    fails: 'REQUEST_INVALID',
  },
  {
    route: 'POST /api/v1/transactions/{txid}/cancel',
    rpc: 'AdminService/CancelTransaction',
    rest: { path: { txid: 'd'.repeat(32) }, body: { repo: restRepo, gcEpoch: 0 } },
    grpc: {
      method: method(admin.AdminServiceService.cancelTransaction),
      requests: [admin.CancelTransactionRequest.create({ txid: 'e'.repeat(32), repo, gcEpoch: 0 })],
    },
    answer: transactionAnswer,
  },
  {
    route: 'GET /api/v1/transactions/{txid}',
    rpc: 'AdminService/GetTransaction',
    rest: { path: { txid: 'd'.repeat(32) }, query: { repo: restRepo, gcEpoch: '0' } },
    grpc: {
      method: method(admin.AdminServiceService.getTransaction),
      requests: [admin.GetTransactionRequest.create({ txid: 'e'.repeat(32), repo, gcEpoch: 0 })],
    },
    answer: transactionAnswer,
  },
  {
    route: 'POST /api/v1/fsck',
    rpc: 'AdminService/Fsck',
    rest: { query: { quick: 'true' } },
    grpc: { method: method(admin.AdminServiceService.fsck), requests: [admin.FsckRequest.create({ quick: true })] },
    answer: (messages) => linesOf(messages).filter(({ type }) => type === 'summary'),
  },
  {
    route: 'POST /api/v1/gc',
    rpc: 'AdminService/Gc',
    rest: { query: { dryRun: 'true' } },
    grpc: { method: method(admin.AdminServiceService.gc), requests: [admin.GcRequest.create({ dryRun: true })] },
    answer: ([collected]) => collected,
  },
  {
    route: 'POST /api/v1/rebuild',
    rpc: 'AdminService/Rebuild',
    rest: {},
    grpc: { method: method(admin.AdminServiceService.rebuild), requests: [admin.RebuildRequest.create({})] },
    answer: ([rebuilt]) => rebuilt,
  },
  {
    route: 'GET /api/v1/repos/{repo}/commits/{rev}/rootfs.tar',
    rpc: 'TarballService/EnsureTarball',
    rest: { path: rev, query: { delivery: 'redirect', format: 'tar.gz' } },
    grpc: {
      method: method(jobs.TarballServiceService.ensureTarball),
      requests: [jobs.EnsureTarballRequest.create({ repo, ...rev, format: 'ROOTFS_FORMAT_TAR_GZ' })],
    },
    answer: ([ready]) => {
      const { name, what } = ready as jobs.EnsureTarballResponse;
      tarball = name;
      tarballPlace = what?.$case === 'tarball' ? placeOf(what.value.url) : '';
      return { location: tarballPlace };
    },
  },
  {
    route: 'GET /api/v1/tarballs/{tarball}',
    rpc: 'TarballService/ReadTarball',
    rest: { path: { get tarball() { return tarball; } } }, // prettier-ignore
    grpc: {
      method: method(jobs.TarballServiceService.readTarball),
      get requests() {
        return [jobs.ReadTarballRequest.create({ name: tarball })];
      },
    },
    // Over REST an object store that presigns is asked itself: where the answer before said.
    answer: (messages) => (isCluster ? { location: tarballPlace } : bytesAnswer(messages)),
  },
  {
    route: 'GET /api/v1/tarballs/{tarball}',
    rpc: 'TarballService/ReadTarball',
    rest: { path: { tarball: 'none' } },
    grpc: {
      method: method(jobs.TarballServiceService.readTarball),
      requests: [jobs.ReadTarballRequest.create({ name: 'none' })],
    },
    fails: 'BLOB_UNKNOWN',
  },
  {
    route: 'GET /api/v1/jobs',
    rpc: 'JobService/ListJobs',
    rest: { query: { limit: '5' } },
    grpc: { method: method(jobs.JobServiceService.listJobs), requests: [jobs.ListJobsRequest.create({ pageSize: 5 })] },
    answer: ([page]) => {
      job = (page as jobs.ListJobsResponse).jobs[0]?.id ?? '';
      return page;
    },
  },
  ...(
    [
      ['GET /api/v1/jobs/{job}', 'JobService/GetJob', jobs.JobServiceService.getJob],
      ['GET /api/v1/jobs/{job}/events', 'JobService/WatchJob', jobs.JobServiceService.watchJob],
      ['POST /api/v1/jobs/{job}/retry', 'JobService/RetryJob', jobs.JobServiceService.retryJob],
      ['POST /api/v1/jobs/{job}/cancel', 'JobService/CancelJob', jobs.JobServiceService.cancelJob],
    ] as const
  ).flatMap(([route, rpc, definition]): Twin[] => [
    {
      route,
      rpc,
      rest: { path: { get job() { return job; } } }, // prettier-ignore
      grpc: {
        method: method(definition),
        get requests() {
          return [jobs.GetJobRequest.create({ job })];
        },
      },
      answer: ([told]) => (route.endsWith('events') ? [flat(told, 'job')] : flat(told, 'job')),
    },
    {
      route,
      rpc,
      rest: { path: { job: 'f'.repeat(32) } },
      grpc: { method: method(definition), requests: [jobs.GetJobRequest.create({ job: 'f'.repeat(32) })] },
      fails: 'JOB_UNKNOWN',
    },
  ]),
  {
    route: 'GET /api/v1/repos/{repo}/events',
    rpc: 'WatchService/Watch',
    rest: { path: { repo: 'nobody' } },
    grpc: {
      method: method(watch.WatchServiceService.watch),
      requests: [watch.WatchRequest.create({ repo: 'nobody' })],
    },
    fails: 'REPOSITORY_UNKNOWN',
  },
  {
    route: 'GET /api/v1/repos/{repo}/events',
    rpc: 'WatchService/Watch',
    rest: { query: { after: 'elsewhere.0.1' } },
    grpc: {
      method: method(watch.WatchServiceService.watch),
      requests: [watch.WatchRequest.create({ repo, after: 'elsewhere.0.1' })],
    },
    fails: 'POSITION_UNKNOWN',
  },
  auditTwin('log', { repo: restRepo, ref: 'heads/fix' }, [
    audit.AuditServiceService.searchLog,
    audit.SearchLogRequest.create({ repo, ref: 'heads/fix' }),
    { answer: auditedAnswer },
  ]),
  auditTwin('log', { repo: restRepo, outcome: 'rejected', limit: '1' }, [
    audit.AuditServiceService.searchLog,
    audit.SearchLogRequest.create({ repo, outcome: 'rejected', limit: 1 }),
    { answer: auditedAnswer },
  ]),
  auditTwin('log', { outcome: 'refused' }, [
    audit.AuditServiceService.searchLog,
    audit.SearchLogRequest.create({ outcome: 'refused' }),
    { fails: 'REQUEST_INVALID' },
  ]),
  auditTwin('log', { since: 'whenever' }, [
    audit.AuditServiceService.searchLog,
    audit.SearchLogRequest.create({ since: 'whenever' }),
    { fails: 'NAME_INVALID' },
  ]),
  auditTwin('log', { limit: '0' }, [
    audit.AuditServiceService.searchLog,
    audit.SearchLogRequest.create({ limit: 0 }),
    { fails: 'REQUEST_INVALID' },
  ]),
  auditTwin('checkpoint', {}, [
    audit.AuditServiceService.getCheckpoint,
    audit.GetCheckpointRequest.create({}),
    { answer: ([told]) => textAnswer((told as audit.GetCheckpointResponse).note) },
  ]),
  auditTwin('checkpoint', { partition: '99' }, [
    audit.AuditServiceService.getCheckpoint,
    audit.GetCheckpointRequest.create({ partition: 99 }),
    { fails: 'POSITION_UNKNOWN' },
  ]),
  auditTwin('key', {}, [
    audit.AuditServiceService.getKey,
    audit.GetKeyRequest.create({}),
    { answer: ([told]) => textAnswer(`${(told as audit.GetKeyResponse).key}\n`) },
  ]),
  ...['0/000.p/2', 'entries/000.p/3'].map((tile) =>
    auditTwin('tile/{path}', { path: tile }, [
      audit.AuditServiceService.getTile,
      audit.GetTileRequest.create({ tile }),
      { answer: ([told]) => ({ bytes: (told as audit.GetTileResponse).tile.toString('base64') }) },
    ]),
  ),
  auditTwin('tile/{path}', { path: '7/000' }, [
    audit.AuditServiceService.getTile,
    audit.GetTileRequest.create({ tile: '7/000' }),
    { fails: 'RANGE_INVALID' },
  ]),
  auditTwin('consistency', { from: '1', to: '3' }, [
    audit.AuditServiceService.getConsistency,
    audit.GetConsistencyRequest.create({ from: 1, to: 3 }),
    { answer: ([told]) => told },
  ]),
  auditTwin('consistency', { from: '3', to: '1' }, [
    audit.AuditServiceService.getConsistency,
    audit.GetConsistencyRequest.create({ from: 3, to: 1 }),
    { fails: 'RANGE_INVALID' },
  ]),
  {
    route: 'GET /api/v1/audit/proof',
    rpc: 'AuditService/GetProof',
    rest: { get query() { return { record }; } }, // prettier-ignore
    grpc: {
      method: method(audit.AuditServiceService.getProof),
      get requests() {
        return [audit.GetProofRequest.create({ record })];
      },
    },
    answer: ([told]) => textAnswer((told as audit.GetProofResponse).proof),
  },
  auditTwin('proof', { repo: restRepo, ref: 'main', at: '2001-01-01' }, [
    audit.AuditServiceService.getProof,
    audit.GetProofRequest.create({ repo, ref: 'main', at: '2001-01-01' }),
    { fails: 'TIME_UNKNOWN' },
  ]),
  auditTwin('proof', { repo: restRepo, ref: 'main', at: 'lelsewhere.0.1' }, [
    audit.AuditServiceService.getProof,
    audit.GetProofRequest.create({ repo, ref: 'main', at: 'lelsewhere.0.1' }),
    { fails: 'POSITION_UNKNOWN' },
  ]),
  {
    route: 'POST /api/v1/audit/check',
    rpc: 'AuditService/Check',
    rest: {},
    grpc: { method: method(audit.AuditServiceService.check), requests: [audit.CheckRequest.create({})] },
    answer: (messages) => linesOf(messages).filter(({ type }) => type === 'summary'),
  },
  {
    route: 'GET /api/v1/eventlog',
    rpc: 'EventlogService/ExportLog',
    rest: {},
    grpc: {
      method: method(eventlog.EventlogServiceService.exportLog),
      requests: [eventlog.ExportLogRequest.create({})],
    },
    answer: (messages) => linesOf(messages).flatMap(eventlogAnswer),
  },
  {
    route: 'POST /api/v1/eventlog',
    rpc: 'EventlogService/ImportLog',
    rest: { body: Buffer.from('{"type":"eventlog","v":1,"log":"lother","partitions":1}\n') },
    grpc: {
      method: method(eventlog.EventlogServiceService.importLog),
      requests: [
        eventlog.ImportLogRequest.create({
          line: { $case: 'head', value: { v: 1, log: 'lother', partitions: 1 } },
        }),
      ],
    },
    fails: 'CONFIG_INVALID',
  },
];

describe('both doors', () => {
  it.each(
    twins.map(
      (twin, i) => [`${i + 1}: ${twin.rpc} as ${twin.route}${twin.fails ? `, ${twin.fails}` : ''}`, twin] as const,
    ),
  )(
    'answer the same: %s',
    async (_, twin) => {
      const rest = await askRest(twin);
      const called = await grpc.call(twin.grpc.method, twin.grpc.requests as never[]);
      expect({ rest: rest.code, grpc: called.code }).toEqual({ rest: twin.fails ?? null, grpc: twin.fails ?? null });
      // Stored files and jobs are asked over REST past the graph; gRPC tells the position with every answer.
      if (rest.position !== undefined) expect(called.position).toBeDefined();
      if (twin.fails) {
        const { grpc: status, http } = renderingOf(twin.fails);
        expect(called.status).toBe(status);
        // A condition in a header that does not hold has a status of its own.
        expect([http, 412]).toContain(rest.status);
        return;
      }
      expect(called.status).toBe('OK');
      expect(normal(twin.answer?.(called.messages))).toEqual(normal(rest.answer));
    },
    120_000,
  );

  it('have a twin for every route, and the table above drives each', async () => {
    const document = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((verb) => `${verb.toUpperCase()} ${path}`),
    );
    const described = pairsOfProto();
    const served = routes.filter((route) => !isHttpAlone(route));
    expect([...new Set(described.map(({ route }) => route))].toSorted()).toEqual(served.toSorted());
    const driven = new Set(twins.map(({ rpc, route }) => `${rpc} ${route}`));
    expect(described.map(({ rpc, route }) => `${rpc} ${route}`).filter((pair) => !driven.has(pair))).toEqual([]);
  });
});

/** Health has a protocol of its own in gRPC. */
function isHttpAlone(route: string): boolean {
  return /^GET \/(?:livez|readyz)$/.test(route);
}

/** What the comments of the proto files say: `REST: GET /api/v1/…`. */
function pairsOfProto(): { rpc: string; route: string }[] {
  const json = execFileSync(`${projectRoot}/node_modules/.bin/buf`, ['build', '-o', '-#format=json'], {
    cwd: projectRoot,
    maxBuffer: 64 << 20,
  });
  const { file } = JSON.parse(json.toString()) as {
    file: {
      service?: { name: string; method: { name: string }[] }[];
      sourceCodeInfo: { location: { path?: number[]; leadingComments?: string }[] };
    }[];
  };
  return file.flatMap(({ service = [], sourceCodeInfo }) =>
    sourceCodeInfo.location.flatMap(({ path = [], leadingComments = '' }) => {
      const [kind, serviceAt = 0, part, methodAt = 0] = path;
      // service (6), its method (2) in a FileDescriptorProto.
      if (kind !== 6 || part !== 2 || path.length !== 4) return [];
      const { name, method: methods } = service[serviceAt] as NonNullable<typeof service>[number];
      const rpc = `${name}/${methods[methodAt]?.name}`;
      return [...leadingComments.matchAll(/REST: (\S+ \S+)/g)].map(([, route = '']) => ({ rpc, route }));
    }),
  );
}

interface RestAnswer {
  readonly status: number;
  readonly code: string | null;
  readonly position: string | undefined;
  readonly answer: unknown;
}

async function askRest({ route, rest: { path = {}, query, headers = {}, body } }: Twin): Promise<RestAnswer> {
  const [verb = 'GET', template = ''] = route.split(' ');
  const names: Record<string, string> = { repo: restRepo, ...path };
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(names[name] ?? name));
  const isBytes = Buffer.isBuffer(body);
  const response = await fetch(`${server.url}${filled}${query ? `?${new URLSearchParams(query).toString()}` : ''}`, {
    method: verb,
    headers: {
      ...(body && !isBytes ? { 'content-type': 'application/json' } : {}),
      'accept-encoding': 'identity',
      ...headers,
    },
    redirect: 'manual',
    ...(body ? { body: isBytes ? new Uint8Array(body) : JSON.stringify(body) } : {}),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const position = response.headers.get('varve-position') ?? undefined;
  const type = response.headers.get('content-type') ?? '';
  const location = response.headers.get('location');
  if (response.status === 307)
    return { status: 307, code: null, position, answer: { location: placeOf(location ?? '') } };
  const answer = type.includes('event-stream')
    ? [...bytes.toString().matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as unknown)
    : type.includes('ndjson')
      ? bytes
          .toString()
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown)
      : type.includes('json')
        ? (JSON.parse(bytes.toString()) as unknown)
        : { bytes: bytes.toString('base64'), etag: response.headers.get('etag') };
  const { code = null } = response.ok ? {} : (answer as { code: string });
  const lines = /\/(?:fsck|check)$/.test(route)
    ? (answer as { type: string }[]).filter(({ type: is }) => is === 'summary')
    : answer;
  return { status: response.status, code, position, answer: lines };
}

/** Without what a presigned URL says of the moment it was made. */
function placeOf(url: string): string {
  return url.replace(/\?.*$/s, '').split('/').at(-1) ?? '';
}

function commitTwin(of: {
  message: string;
  body: Buffer | null;
  stored?: string;
  branch?: string;
  labels?: Record<string, string>;
  fails?: ErrorCode;
}): Twin {
  const { message, body, stored, branch = 'main', labels = {}, fails } = of;
  const label = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const header = { repo, branch, message, author: 'ann', time, labels, ...(stored ? { layer: stored } : {}) };
  return {
    route: 'POST /api/v1/repos/{repo}/branches/{branch}/commits',
    rpc: 'CommitService/Commit',
    rest: {
      path: { branch },
      query: { message, author: 'ann', time, ...(stored ? { layer: stored } : {}) },
      headers: label.length > 0 ? { 'varve-label': label.join(',') } : {},
      ...(body ? { body } : {}),
    },
    grpc: { method: method(commit.CommitServiceService.commit), requests: upload(commit.CommitRequest, header, body) },
    answer: ([made]) => flat(made, 'written'),
    ...(fails ? { fails } : {}),
  };
}

function moveTwin(of: {
  name: string;
  to: string;
  mode?: 'force';
  operation?: string;
  absent?: boolean;
  fails?: ErrorCode;
}): Twin {
  const { name, to, mode, operation, absent, fails } = of;
  return {
    route: 'PUT /api/v1/repos/{repo}/refs/{ref}',
    rpc: 'RefService/UpdateRef',
    rest: {
      path: { ref: name },
      body: { to, ...(mode ? { mode } : {}), ...(operation ? { operation } : {}) },
      headers: absent ? { 'if-none-match': '*' } : {},
    },
    grpc: {
      method: method(ref.RefServiceService.updateRef),
      requests: [
        ref.UpdateRefRequest.create({
          repo,
          ref: name,
          to,
          mode: mode ? 'MOVE_MODE_FORCE' : 'MOVE_MODE_FF',
          ...(operation ? { operation } : {}),
          ...(absent ? { expect: { expectation: { $case: 'absent' as const, value: true } } } : {}),
        }),
      ],
    },
    answer: movedAnswer,
    ...(fails ? { fails } : {}),
  };
}

function rollbackTwin(body: { ref: string; to: string; reason?: string }, fails?: ErrorCode): Twin {
  return {
    route: 'POST /api/v1/repos/{repo}/rollback',
    rpc: 'RefService/RollbackRef',
    rest: { body },
    grpc: {
      method: method(ref.RefServiceService.rollbackRef),
      requests: [ref.RollbackRefRequest.create({ repo, ...body })],
    },
    answer: movedAnswer,
    ...(fails ? { fails } : {}),
  };
}

/** A question to the audit: its file and query over REST, its method and message over gRPC. */
function auditTwin(
  path: string,
  query: Readonly<Record<string, string>>,
  [definition, request, more]: readonly [{ readonly path: string }, object, Pick<Twin, 'answer' | 'fails'>],
): Twin {
  return {
    route: `GET /api/v1/audit/${path}`,
    rpc: definition.path.replace('/varve.v1.', ''),
    rest: path.includes('{') ? { path: query } : { query },
    grpc: { method: method(definition), requests: [request] },
    ...more,
  };
}

function batchTwin(updates: readonly { ref: string; to: string | null }[], fails?: ErrorCode): Twin {
  const messages = updates.map(({ ref: name, to }) => ({ ref: name, ...(to === null ? {} : { to }) }));
  return {
    route: 'POST /api/v1/repos/{repo}/refs',
    rpc: 'RefService/BatchUpdateRefs',
    rest: { body: { updates, reason: 'together' } },
    grpc: {
      method: method(ref.RefServiceService.batchUpdateRefs),
      requests: [ref.BatchUpdateRefsRequest.fromPartial({ repo, updates: messages, reason: 'together' })],
    },
    answer: ([moved]) => {
      const { refs, ...written } = flat(moved, 'written');
      return { ...written, refs: (refs as unknown[]).map((one) => movedAnswer([{ ref: one }])) };
    },
    ...(fails ? { fails } : {}),
  };
}

function restoreTwin(name: string, fails?: ErrorCode): Twin {
  return {
    route: 'POST /api/v1/repos/{repo}/restore',
    rpc: 'RefService/RestoreRef',
    rest: { body: { ref: name } },
    grpc: {
      method: method(ref.RefServiceService.restoreRef),
      requests: [ref.RestoreRefRequest.create({ repo, ref: name })],
    },
    answer: movedAnswer,
    ...(fails ? { fails } : {}),
  };
}

/** The header, then the bytes in pieces of 1,000. */
function upload(message: { create(base: never): object }, header: object, body: Buffer | null): object[] {
  const parts: object[] = [{ part: { $case: 'header', value: header } }];
  const bytes = body ?? Buffer.alloc(0);
  for (let at = 0; at < bytes.length; at += 1_000) {
    parts.push({ part: { $case: 'chunk', value: bytes.subarray(at, at + 1_000) } });
  }
  return parts.map((part) => message.create(part as never));
}

type Members = Record<string, unknown>;

/** Members of these members stand beside the others. */
function flat(value: unknown, ...names: readonly string[]): Members {
  const members = value as Members;
  const rest = Object.entries(members).filter(([name]) => !names.includes(name));
  return Object.assign(Object.fromEntries(rest), ...names.map((name) => members[name] as Members)) as Members;
}

function linesOf(messages: readonly unknown[]): ({ type: string } & Members)[] {
  return messages.map((message) => {
    const { line } = message as { line: { $case: string; value: Members } };
    return { type: line.$case, ...line.value };
  });
}

function movedAnswer([moved]: readonly unknown[]): unknown {
  const { previousCommit: from, ...rest } = flat(moved, 'ref', 'written');
  return { ...rest, from };
}

function entryAnswer(entry: unknown): unknown {
  const { mode, link, xattrs, ...rest } = flat(entry, 'attributes') as Members & { mode: number };
  const hasXattrs = Object.keys(xattrs as Members).length > 0;
  return { ...rest, mode: mode.toString(8).padStart(4, '0'), link, ...(hasXattrs ? { xattrs } : {}) };
}

function entriesAnswer({ type, entries, ...line }: { type: string } & Members): unknown[] {
  if (type !== 'entries') return [{ type, ...line, entries }];
  return (entries as unknown[]).map((entry) => ({ type: 'entry', entry: entryAnswer(entry) }));
}

function diffAnswer({ type, ...line }: { type: string } & Members): unknown[] {
  if (type === 'changes') {
    const letters = { ADDED: 'A', CONTENT: 'M', METADATA: 'm', DELETED: 'D', TYPE: 'T', SHADOW: 'S' };
    return (line['changes'] as diff.Change[]).map(({ kind, before, after, ...change }) => ({
      type: 'change',
      ...change,
      class: letters[kind.replace('CHANGE_CLASS_', '') as keyof typeof letters],
      before: before && entryAnswer({ attributes: before }),
      after: after && entryAnswer({ attributes: after }),
    }));
  }
  if (type === 'summary') return [{ type, ...line }];
  const {
    fromCommit: from,
    toCommit: to,
    layersShared: shared,
    layersRemoved: removed,
    layersAdded: added,
    ...rest
  } = line;
  return [{ type, ...rest, from, to, layers: { shared, removed, added } }];
}

function transactionAnswer([found]: readonly unknown[]): unknown {
  const { outcome: told, ...rest } = found as admin.GetTransactionResponse;
  if (told?.outcome?.$case !== 'rejected') throw new Error('it has another outcome');
  const { code, detail, fieldsJson } = told.outcome.value;
  // Both doors are told of one of their own.
  const asRest = (text: string) => text.replaceAll('e'.repeat(32), 'd'.repeat(32));
  const error = { code, detail: asRest(detail), fields: JSON.parse(asRest(fieldsJson)) as unknown };
  return { ...rest, outcome: 'rejected', commits: [], moves: [], error };
}

function reportAnswer({ repositories, ...report }: Members): unknown {
  return { ...report, repositories: (repositories as unknown[]).map((one) => flat(one, 'written')) };
}

/** Remembers the last record for who asks about one. */
function auditedAnswer(messages: readonly unknown[]): unknown {
  return linesOf(messages).flatMap(({ type, ...line }) => {
    if (type !== 'records') return [{ type, ...line }];
    return (line['records'] as audit.AuditRecord[]).map(({ moves, ...told }) => {
      record = told.position;
      const moved = moves.map(({ previousCommit: from, commit: to, ...move }) => ({ ...move, from, to }));
      // A refusal says which repository it is about.
      const message = told.message?.replaceAll(grpcRepo, restRepo);
      return { type: 'record', ...told, message, moves: moved };
    });
  });
}

function eventlogAnswer({ type, ...line }: { type: string } & Members): unknown[] {
  if (type === 'head') return [{ type: 'eventlog', ...line }];
  if (type !== 'records') return [{ type, ...line }];
  return (line['records'] as eventlog.LogRecord[]).map((one) => ({
    type: 'record',
    ...one,
    bytes: one.bytes.toString('base64'),
  }));
}

/** A file of text as the other door gives it. */
function textAnswer(text: string): unknown {
  return { bytes: Buffer.from(text).toString('base64') };
}

function bytesAnswer(messages: readonly unknown[]): unknown {
  const parts = messages.map((message) => (message as { part: { $case: string; value: unknown } }).part);
  const head = parts[0]?.value as { content?: { etag: string }; etag?: string };
  const chunks = parts.slice(1).map(({ value }) => value as Buffer);
  return { bytes: Buffer.concat(chunks).toString('base64'), etag: (head.content ?? head).etag };
}

/** What tells one run, one repository or one moment from another; and what the second door finds stored already. */
const passing = new Set(
  'position positions txid requestId repo createdAt cursor stateDigest layersNew bytesStored'.split(' '),
);
const enumPrefix = /^(?:REF_TYPE|ENTRY_TYPE|ENTRY_ROLE|BASE)_(?=[A-Z]+$)/;

/** Without what passes and what is not there; enums by their last word, bytes as text. */
function normal(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString();
  if (typeof value === 'string') return enumPrefix.test(value) ? value.replace(enumPrefix, '').toLowerCase() : value;
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name, member]) => {
    const isMoment = name === 'time' && member !== time && typeof member === 'string' && member > '2026-02';
    return !passing.has(name) && !isMoment && member !== undefined && member !== null;
  });
  return Object.fromEntries(members.map(([name, member]) => [name, normal(member)]));
}
