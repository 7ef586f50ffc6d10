import type { IncomingMessage } from 'node:http';
import type { RootfsFormat } from '#core/job';
import type * as answer from './answer.js';
import { anySignal } from './any-signal.js';
import { AuditQuestions } from './audit-questions.js';
import { Conversation, repoPath, withQuery } from './conversation.js';
import { watchEvents } from './event-watch.js';
import { FileQuestions } from './file-questions.js';
import type { FsckLine } from './fsck-answer.js';
import type { Job } from './job-answer.js';
import { JobQuestions } from './job-questions.js';
import { defaultRetryPolicy, type RetryPolicy, withRetry } from './retry.js';
import { openCompressedRootfs, openRootfs, type RootfsDownload } from './rootfs-download.js';
import { countedDownload, type OnProgress } from './transfer.js';
import { type RequestBody, Transport } from './transport.js';

export interface ClientOptions {
  /** `http://HOST:PORT` */
  readonly server: string;
  /** Who asks, as the event log will show it. */
  readonly actor: string;
  readonly signal?: AbortSignal | undefined;
  readonly retry?: RetryPolicy;
  /** The moment that questions about history are of, `2026-11-01T12:00:00Z`, `3.days.ago` or a position; default: now. */
  readonly at?: string | undefined;
}

/** What holds for some of what is asked. `deadlineMs` counts from when it is said, retries and streams included. */
export interface Limits {
  readonly signal?: AbortSignal | undefined;
  readonly deadlineMs?: number | undefined;
  /** Told of the bytes of uploads and checkouts as they go. */
  readonly onProgress?: OnProgress | undefined;
}

/** What any write may carry. `expect` is `<commit>.<version>` the ref must have now, `absent` that it must not exist. */
export interface WriteOptions {
  readonly idempotencyKey?: string | undefined;
  readonly reason?: string | undefined;
}
/** One of several moves that go together. `expect` is `<commit>.<version>`, `absent` or `present`. */
export interface RefUpdate {
  readonly ref: string;
  readonly to: string | null;
  readonly mode?: 'ff' | 'force' | undefined;
  readonly expect?: string | undefined;
}

export interface RefWriteOptions extends WriteOptions {
  readonly expect?: string | undefined;
}

/** `platform` (`linux/arm64`) chooses from an image for several; `format` is `tar` when it is not said. */
export interface RootfsOptions {
  readonly platform?: string | undefined;
  readonly format?: RootfsFormat | undefined;
  /** `redirect`: from a stored file, which is made first if need be. */
  readonly delivery?: 'stream' | 'redirect' | undefined;
  /** Called as the job goes on that makes it. */
  readonly onJob?: ((job: Job) => void) | undefined;
}

/** The tar of the commit that a revision means, on its way. */
export interface Checkout {
  readonly commit: string;
  /** What resolving had to say; null when nothing. */
  readonly warning: string | null;
  readonly download: RootfsDownload;
}

/**
 * Varve's REST interface as methods. Each throws the server's own error code, or UNAVAILABLE when no server answers and
 * CANCELLED when `signal` stops it. Writes carry an idempotency key and are tried again under the same one; reads are
 * never older than what this client has seen. Revisions and refs are text as people write them.
 */
export class VarveClient {
  readonly #options: ClientOptions;
  readonly #conversation: Conversation;
  /** Questions about files, layers and sizes. */
  readonly files: FileQuestions;
  /** Tarballs that lie ready, and the jobs that make them. */
  readonly jobs: JobQuestions;
  /** Who did what, and proofs of it. */
  readonly audit: AuditQuestions;

  /** @throws REQUEST_INVALID when the address is none */
  constructor(options: ClientOptions, session?: Conversation) {
    const { server, actor, signal, retry = defaultRetryPolicy, at } = options;
    this.#options = options;
    this.#conversation = session ?? new Conversation({ server, actor, signal, retry, at });
    this.files = new FileQuestions(this.#conversation);
    this.jobs = new JobQuestions(this.#conversation);
    this.audit = new AuditQuestions(this.#conversation);
  }

  /**
   * The same client (its connections, and what it has seen) for what must end sooner, or is to tell how far it is: past the
   * deadline it throws CANCELLED. `client.within({ deadlineMs: 5_000 }).refs('app')`
   */
  within({ signal, deadlineMs, onProgress }: Limits): VarveClient {
    const ends = anySignal(signal, deadlineMs === undefined ? undefined : AbortSignal.timeout(deadlineMs));
    return new VarveClient(this.#options, this.#conversation.within({ signal: ends, onProgress }));
  }

  /** The newest position of the event log that an answer has named. */
  get position(): string | undefined {
    return this.#conversation.position;
  }

  about(): Promise<answer.About> {
    return this.#conversation.read('api/v1');
  }

  async repositories(): Promise<readonly answer.Repository[]> {
    const { repositories } = await this.#conversation.read<{ repositories: answer.Repository[] }>('api/v1/repos');
    return repositories;
  }

  repository(repo: string): Promise<answer.Repository> {
    return this.#conversation.read(repoPath(repo));
  }

  createRepository(
    repo: string,
    { defaultBranch, reason, idempotencyKey }: WriteOptions & { readonly defaultBranch?: string | undefined } = {},
  ): Promise<answer.Repository & answer.Written> {
    const json = { repo, defaultBranch, reason };
    return this.#conversation.write({ method: 'POST', path: 'api/v1/repos', json, idempotencyKey });
  }

  /** All of them, or those from which the revision `contains` can be reached. */
  async refs(
    repo: string,
    { contains }: { readonly contains?: string | undefined } = {},
  ): Promise<readonly answer.Ref[]> {
    const path = repoPath(repo, 'refs');
    const { refs } = await this.#conversation.read<{ refs: answer.Ref[] }>(path, { contains });
    return refs;
  }

  ref(repo: string, ref: string): Promise<answer.Ref> {
    return this.#conversation.read(repoPath(repo, 'refs', ref));
  }

  /** Points a ref at a commit, making it if need be. @throws REF_STALE, NOT_FAST_FORWARD, TAG_IMMUTABLE, … */
  moveRef(
    repo: string,
    ref: string,
    move: RefWriteOptions & {
      readonly to: string;
      readonly mode?: 'ff' | 'force';
      readonly operation?: 'branch' | 'tag' | 'reset' | 'update';
    },
  ): Promise<answer.MovedRef> {
    const { to, mode, operation, reason, expect, idempotencyKey } = move;
    return this.#conversation.write({
      method: 'PUT',
      path: repoPath(repo, 'refs', ref),
      json: { to, mode, operation, reason },
      headers: condition(expect),
      idempotencyKey,
    });
  }

  deleteRef(
    repo: string,
    ref: string,
    { reason, expect, idempotencyKey }: RefWriteOptions = {},
  ): Promise<answer.MovedRef> {
    const path = repoPath(repo, 'refs', ref);
    return this.#conversation.write({
      method: 'DELETE',
      path,
      query: { reason },
      headers: condition(expect),
      idempotencyKey,
    });
  }

  /** Makes, moves (`to`) and deletes (`to: null`) refs together or not at all. `mode: 'force'` needs `expect`. */
  moveRefs(
    repo: string,
    updates: readonly RefUpdate[],
    { reason, idempotencyKey }: WriteOptions = {},
  ): Promise<answer.MovedRefs> {
    const path = repoPath(repo, 'refs');
    return this.#conversation.write({ method: 'POST', path, json: { updates, reason }, idempotencyKey });
  }

  /** Makes a ref again where it was deleted. @throws REF_UNKNOWN, REF_STALE */
  restoreRef(repo: string, ref: string, { reason, idempotencyKey }: WriteOptions = {}): Promise<answer.MovedRef> {
    const path = repoPath(repo, 'restore');
    return this.#conversation.write({ method: 'POST', path, json: { ref, reason }, idempotencyKey });
  }

  /** Points a ref back. `moveTag` is needed when it is a tag. */
  rollback(
    repo: string,
    {
      ref,
      to,
      moveTag,
      reason,
      expect,
      idempotencyKey,
    }: RefWriteOptions & {
      readonly ref: string;
      readonly to: string;
      readonly moveTag?: boolean;
    },
  ): Promise<answer.MovedRef> {
    return this.#conversation.write({
      method: 'POST',
      path: repoPath(repo, 'rollback'),
      json: { ref, to, moveTag, reason },
      headers: condition(expect),
      idempotencyKey,
    });
  }

  /** Moves of one ref or of all, newest first; pages are fetched as they are read. */
  async *reflog(
    repo: string,
    { ref, pageSize }: { ref?: string | undefined; pageSize?: number | undefined } = {},
  ): AsyncGenerator<answer.ReflogMove> {
    let before: number | undefined;
    do {
      const query = { ref, before, limit: pageSize };
      const page = await this.#conversation.read<{ moves: answer.ReflogMove[]; before: number | null }>(
        repoPath(repo, 'reflog'),
        query,
      );
      yield* page.moves;
      before = page.before ?? undefined;
    } while (before !== undefined);
  }

  /** Commits that `rev` reaches, newest first; pages are fetched as they are read, and are one answer while refs move. */
  async *commits(
    repo: string,
    {
      rev,
      firstParent,
      pageSize,
    }: { rev?: string | undefined; firstParent?: boolean | undefined; pageSize?: number | undefined } = {},
  ): AsyncGenerator<answer.LoggedCommit> {
    let cursor: string | undefined;
    do {
      const query = { rev, firstParent, limit: pageSize, cursor };
      const page = await this.#conversation.read<{ commits: answer.LoggedCommit[]; cursor: string | null }>(
        repoPath(repo, 'commits'),
        query,
      );
      yield* page.commits;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
  }

  commit(repo: string, rev: string): Promise<answer.ShownCommit> {
    return this.#conversation.read(repoPath(repo, 'commits', rev));
  }

  resolve(repo: string, rev: string): Promise<answer.ResolvedRevision> {
    return this.#conversation.read(repoPath(repo, 'resolve'), { rev });
  }

  /** Everything that refs reach, parents before children: of one repository, or of all. */
  async imageTree(repo: string | null): Promise<readonly answer.TreeNode[]> {
    const path = repo === null ? 'api/v1/tree-view' : repoPath(repo, 'tree-view');
    const { nodes } = await this.#conversation.read<{ nodes: answer.TreeNode[] }>(path);
    return nodes;
  }

  /** Puts a layer, or metadata alone when `layer` is null, on a branch. */
  commitLayer(
    repo: string,
    branch: string,
    commit: RefWriteOptions & {
      readonly layer: RequestBody | null;
      readonly message: string;
      readonly author?: string | undefined;
      readonly time?: string | undefined;
      readonly labels?: readonly string[] | undefined;
    },
  ): Promise<answer.CreatedCommit> {
    const { layer, message, author, time, labels, reason, expect, idempotencyKey } = commit;
    return this.#conversation.write({
      method: 'POST',
      path: repoPath(repo, 'branches', branch, 'commits'),
      query: { message, author, label: labels, reason },
      // In a header, because those are no part of what a retry is compared by: the clock has gone on since.
      headers: { ...condition(expect), ...(time === undefined ? {} : { 'varve-time': time }) },
      idempotencyKey,
      ...(layer ? { body: layer } : {}),
    });
  }

  /** Takes in an image archive; `repo` null leaves the repositories to the names in it. */
  loadArchive(
    repo: string | null,
    {
      archive,
      moveTags,
      platform,
      reason,
      idempotencyKey,
    }: WriteOptions & {
      readonly archive: RequestBody;
      readonly moveTags: boolean;
      readonly platform?: string | undefined;
    },
  ): Promise<answer.LoadReport> {
    return this.#conversation.write({
      method: 'POST',
      path: repo === null ? 'api/v1/archives' : repoPath(repo, 'archives'),
      query: { moveTags: moveTags ? true : undefined, platform, reason },
      body: archive,
      idempotencyKey,
    });
  }

  /** Takes a root filesystem in as an image of one layer; without `tag`, on the branch main. */
  importRootfs(
    repo: string,
    wish: WriteOptions & {
      readonly rootfs: RequestBody;
      readonly tag?: string | undefined;
      readonly changes: readonly string[];
      readonly message?: string | undefined;
      readonly author?: string | undefined;
      readonly time?: string | undefined;
      readonly platform?: string | undefined;
      readonly moveTags: boolean;
    },
  ): Promise<answer.ImportReport> {
    const { rootfs, tag, changes: change, message, author, time, platform, moveTags, reason, idempotencyKey } = wish;
    return this.#conversation.write({
      method: 'POST',
      path: repoPath(repo, 'imports'),
      query: { tag, change, message, author, time, platform, moveTags: moveTags ? true : undefined, reason },
      body: rootfs,
      idempotencyKey,
    });
  }

  /**
   * The root filesystem of a commit as the canonical tar, plain or compressed. The revision is resolved first: a branch
   * that moves while the connection is resumed must not mix two trees.
   * @throws REVISION_AMBIGUOUS with detail.platforms when it is one for several and none is chosen
   */
  async rootfs(repo: string, rev: string, options: RootfsOptions = {}): Promise<Checkout> {
    const { commit, warning } = await this.resolve(repo, rev);
    const { platform, format = 'tar', delivery = 'stream' } = options;
    if (delivery === 'redirect') return { commit, warning, download: await this.#stored(repo, commit, options) };
    const { transport, signal } = this.#conversation;
    const query = { platform, format: format === 'tar' ? undefined : format };
    const path = withQuery(repoPath(repo, 'commits', commit, 'rootfs.tar'), query);
    const request = { path, headers: this.#conversation.readHeaders(), signal };
    const open = (): Promise<RootfsDownload> =>
      format === 'tar' ? openRootfs(transport, request) : openCompressedRootfs(transport, request);
    const download = await withRetry(open, { policy: defaultRetryPolicy, signal });
    const { onProgress } = this.#conversation;
    return { commit, warning, download: onProgress ? countedDownload(download, onProgress) : download };
  }

  /** Of any format with its length, so it resumes. Whoever holds the file gets nothing of this session but the URL. */
  async #stored(repo: string, commit: string, { platform, format, onJob }: RootfsOptions): Promise<RootfsDownload> {
    const { signal } = this.#conversation;
    const { url, etag } = await this.jobs.tarball(repo, commit, { platform, format, onJob });
    const { origin, pathname, search } = new URL(url);
    const request = { path: `${pathname}${search}`, headers: {}, signal };
    const open = (): Promise<RootfsDownload> => openRootfs(new Transport(origin), request);
    const download = await withRetry(open, { policy: defaultRetryPolicy, signal });
    return {
      lengthBytes: download.lengthBytes,
      etag,
      chunks: () => download.chunks(),
      pieces: (count) => download.pieces(count),
      stop: () => download.stop(),
    };
  }

  /** A blob of a repository, byte for byte as it was given. */
  blob(repo: string, digest: string): Promise<IncomingMessage> {
    const { transport, signal } = this.#conversation;
    return transport.send({
      method: 'GET',
      path: repoPath(repo, 'blobs', digest),
      headers: this.#conversation.readHeaders(),
      signal,
    });
  }

  /** What happens in a repository, as it happens; first what has happened since a position. @see watchEvents */
  watch(repo: string, from: { readonly after?: string | undefined } = {}): AsyncGenerator<answer.WatchedEvent> {
    return watchEvents(this.#conversation, repo, from);
  }

  /**
   * What became of a write. `repo` and `gcEpoch`, as the detail of OUTCOME_UNKNOWN has them, tell an outcome that is still
   * to come from one that never comes, or is forgotten. @throws TRANSACTION_UNKNOWN, GC_EPOCH_STALE, OUTCOME_EXPIRED
   */
  transaction(
    txid: string,
    told: { readonly repo?: string | undefined; readonly gcEpoch?: number | undefined } = {},
  ): Promise<answer.Transaction> {
    return this.#conversation.read(`api/v1/transactions/${encodeURIComponent(txid)}`, { ...told });
  }

  /**
   * Ends a write whose outcome is unknown: afterwards it has one, that it had or TRANSACTION_CANCELLED. Idempotent.
   * @throws OUTCOME_EXPIRED when what it had may be forgotten
   */
  cancelTransaction(
    txid: string,
    { repo, gcEpoch }: { readonly repo: string; readonly gcEpoch?: number | undefined },
  ): Promise<answer.Transaction> {
    const path = `api/v1/transactions/${encodeURIComponent(txid)}/cancel`;
    return this.#conversation.write({ method: 'POST', path, json: { repo, gcEpoch } });
  }

  state(): Promise<answer.ServerState> {
    return this.#conversation.read('api/v1/state');
  }

  rebuild({ idempotencyKey }: WriteOptions = {}): Promise<answer.Rebuilt> {
    return this.#conversation.write({ method: 'POST', path: 'api/v1/rebuild', idempotencyKey });
  }

  /** Removes what nothing names from the blob store; `dryRun` only tells what it would be. */
  gc({ dryRun, adopt = false }: { readonly dryRun: boolean; readonly adopt?: boolean }): Promise<answer.Collected> {
    const query = { dryRun: dryRun || undefined, adopt: adopt || undefined };
    return this.#conversation.write({ method: 'POST', path: 'api/v1/gc', query });
  }

  /** Checks everything the server keeps; findings come as they are found. Reading no further stops it. */
  fsck({ quick }: { readonly quick: boolean }): AsyncGenerator<FsckLine> {
    return this.#conversation.lines('api/v1/fsck', { quick: quick ? true : undefined }, 'POST');
  }

  /** Lets the process end: idle connections are closed. */
  close(): void {
    this.#conversation.transport.close();
  }
}

function condition(expect: string | undefined): Readonly<Record<string, string>> {
  if (expect === undefined) return {};
  return expect === 'absent' ? { 'if-none-match': '*' } : { 'if-match': `"${expect}"` };
}
