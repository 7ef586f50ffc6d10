import { type ErrorCode, isVarveError, VarveError } from '#core/error';
import type { JobState, RootfsFormat } from '#core/job';
import { type Conversation, repoPath, withQuery } from './conversation.js';
import type { Job } from './job-answer.js';
import { defaultRetryPolicy, delayMs, pause, withRetry } from './retry.js';

/** Where a tarball lies ready, and what it is. */
export interface ReadyTarball {
  /** Absolute; whoever has it may fetch it, for an hour where an object store presigned it. */
  readonly url: string;
  readonly etag: string;
  /** `sha256:…` of its bytes. */
  readonly digest: string;
}

export interface TarballWish {
  readonly platform?: string | undefined;
  readonly format?: RootfsFormat | undefined;
  /** Called as the job that makes it goes on. */
  readonly onJob?: ((job: Job) => void) | undefined;
}

const pageSize = 100;

/** Tarballs that lie ready and the jobs that make them, over REST. Each throws the server's own error code. */
export class JobQuestions {
  readonly #conversation: Conversation;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  /** Changed last first; pages are fetched as they are read. */
  async *list({ state }: { readonly state?: JobState | undefined } = {}): AsyncGenerator<Job> {
    let cursor: string | undefined;
    do {
      const query = { state, cursor, limit: pageSize };
      const page: { jobs: Job[]; cursor: string | null } = await this.#conversation.read('api/v1/jobs', query);
      yield* page.jobs;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** @throws JOB_UNKNOWN */
  show(id: string): Promise<Job> {
    return this.#conversation.read(jobPath(id));
  }

  /** Begins a job again that failed, was set aside or cancelled. @throws JOB_UNKNOWN */
  retry(id: string): Promise<Job> {
    return this.#conversation.write({ method: 'POST', path: jobPath(id, 'retry') });
  }

  /** At once when it waits, soon when it runs. @throws JOB_UNKNOWN */
  cancel(id: string): Promise<Job> {
    return this.#conversation.write({ method: 'POST', path: jobPath(id, 'cancel') });
  }

  /** The job at once and whenever it changes, until it is over. Connects again where it is cut. @throws JOB_UNKNOWN */
  async *watch(id: string): AsyncGenerator<Job> {
    const { signal } = this.#conversation;
    let idleAttempts = 0;
    for (;;) {
      try {
        for await (const job of this.#conversation.events<Job>(jobPath(id, 'events'))) {
          idleAttempts = 0;
          yield job;
          if (isOver(job)) return;
        }
      } catch (error) {
        if (!isVarveError(error, 'UNAVAILABLE') || ++idleAttempts >= defaultRetryPolicy.attemptsMax) throw error;
        await pause(delayMs({ policy: defaultRetryPolicy, attempts: idleAttempts, error }), signal);
      }
    }
  }

  /**
   * Has the root filesystem of a commit made as a file, unless it lies ready, and waits for that.
   * @throws the code of a job that failed; JOB_FAILED for one that was set aside or cancelled
   */
  async tarball(repo: string, commit: string, { platform, format, onJob }: TarballWish): Promise<ReadyTarball> {
    const query = { delivery: 'redirect', platform, format };
    const path = withQuery(repoPath(repo, 'commits', commit, 'rootfs.tar'), query);
    const { signal } = this.#conversation;
    for (;;) {
      const answer = await withRetry(() => this.#ask(path), { policy: defaultRetryPolicy, signal });
      if ('url' in answer) return answer;
      let last = answer;
      for await (const job of this.watch(answer.id)) {
        last = job;
        onJob?.(job);
      }
      // To ask once more would begin it again.
      const failure = failureOf(last);
      if (failure) throw failure;
    }
  }

  async #ask(path: string): Promise<ReadyTarball | Job> {
    const { transport, signal } = this.#conversation;
    const headers = { ...this.#conversation.readHeaders(), prefer: 'respond-async' };
    const response = await transport.send({ method: 'GET', path, headers, signal, isRedirectWanted: true });
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    this.#conversation.remember(response);
    if (response.statusCode === 202) return JSON.parse(Buffer.concat(chunks).toString()) as Job;
    const { location, etag } = response.headers;
    const digest = digestIn(response.headers['repr-digest']);
    if (location !== undefined && etag !== undefined && digest !== undefined) {
      return { url: new URL(location, transport.server).href, etag, digest };
    }
    const message = `the answer to ${path} names no tarball: something stands between us and the server`;
    throw new VarveError('UNAVAILABLE', message, { status: response.statusCode });
  }
}

/** What a job that is over and not done ended with; undefined for all others. */
export function failureOf({ id, state, failure }: Job): VarveError | undefined {
  if (state === 'cancelled') return new VarveError('JOB_FAILED', `job ${id} was cancelled`, { job: id });
  if (state !== 'failed' && state !== 'dead') return undefined;
  const code = state === 'dead' ? 'JOB_FAILED' : ((failure?.code ?? 'INTERNAL') as ErrorCode);
  const why = failure ? `${failure.code}: ${failure.message}` : 'no reason is known';
  return new VarveError(code, state === 'dead' ? `job ${id} was set aside: ${why}` : why, { job: id });
}

function isOver({ state }: Job): boolean {
  return state !== 'waiting' && state !== 'running';
}

/** @see RFC 9530 section 3 */
function digestIn(header: string | string[] | undefined): string | undefined {
  const base64 = /sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header ?? ''))?.[1];
  return base64 === undefined ? undefined : `sha256:${Buffer.from(base64, 'base64').toString('hex')}`;
}

function jobPath(id: string, ...more: readonly string[]): string {
  return ['api/v1/jobs', encodeURIComponent(id), ...more].join('/');
}
