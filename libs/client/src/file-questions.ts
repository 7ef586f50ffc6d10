import { DigestBuilder } from '#core/digest';
import { VarveError } from '#core/error';
import { type Conversation, type Query, repoPath, withQuery } from './conversation.js';
import type * as answer from './file-answer.js';
import { defaultRetryPolicy, withRetry } from './retry.js';
import { openRootfs, type ResumableDownload } from './rootfs-download.js';

/** A path as text, or as base64 when it is no UTF-8. */
export type PathQuery = { readonly path?: string | undefined } | { readonly pathBase64: string };

/** Bytes on their way, held against their digest where the server names one. */
export interface ContentDownload {
  readonly lengthBytes: number;
  readonly etag: string;
  chunks(): AsyncGenerator<Uint8Array>;
}

/** A page costs the server a look into the indexes of its layers, so large ones are cheaper. */
const pageEntries = 10_000;

/** Questions about what is in commits and layers, over REST. Each throws the server's own error code. */
export class FileQuestions {
  readonly #conversation: Conversation;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  /** Entries of a directory, or all below it; pages are fetched as they are read, and are one answer while refs move. */
  async *list(
    repo: string,
    rev: string,
    { recursive, ...path }: PathQuery & { readonly recursive?: boolean },
  ): AsyncGenerator<answer.TreeEntry> {
    let cursor: string | undefined;
    do {
      const query = { ...path, recursive, cursor, limit: pageEntries };
      const page: answer.TreeListing = await this.#conversation.read(repoPath(repo, 'tree', rev), query);
      yield* page.entries;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** The content of a file. The revision is resolved first: a branch that moves must not mix two files. */
  async content(repo: string, rev: string, path: PathQuery): Promise<ContentDownload> {
    const { commit } = await this.#conversation.read<{ commit: string }>(repoPath(repo, 'resolve'), { rev });
    return this.#download(withQuery(repoPath(repo, 'tree', commit, 'content'), path));
  }

  find(repo: string, query: Query): AsyncGenerator<answer.FoundLine> {
    return this.#conversation.lines(repoPath(repo, 'find'), query);
  }

  diff(repo: string, query: Query): AsyncGenerator<answer.DiffLine> {
    return this.#conversation.lines(repoPath(repo, 'diff'), query);
  }

  async mergeBase(repo: string, a: string, b: string): Promise<readonly string[]> {
    const { bases } = await this.#conversation.read<{ bases: string[] }>(repoPath(repo, 'merge-base'), { a, b });
    return bases;
  }

  usage(repo: string): Promise<answer.Usage> {
    return this.#conversation.read(repoPath(repo, 'usage'));
  }

  lints(repo: string, rev: string): Promise<answer.CommitLints> {
    return this.#conversation.read(repoPath(repo, 'commits', rev, 'lints'));
  }

  layer(repo: string, layer: string): Promise<answer.ShownLayer> {
    return this.#conversation.read(repoPath(repo, 'layers', layer));
  }

  layerEntries(repo: string, layer: string): AsyncGenerator<answer.LayerLine> {
    return this.#conversation.lines(repoPath(repo, 'layers', layer, 'entries'));
  }

  layerContent(repo: string, layer: string, path: PathQuery): Promise<ContentDownload> {
    return this.#download(withQuery(repoPath(repo, 'layers', layer, 'content'), path));
  }

  layerTar(repo: string, layer: string): Promise<ContentDownload> {
    return this.#download(repoPath(repo, 'layers', layer, 'tar'));
  }

  async #download(path: string): Promise<ContentDownload> {
    const { transport, signal } = this.#conversation;
    const open = (): Promise<ResumableDownload> =>
      openRootfs(transport, { path, headers: this.#conversation.readHeaders(), signal });
    const download = await withRetry(open, { policy: defaultRetryPolicy, signal });
    const { lengthBytes, etag } = download;
    return { lengthBytes, etag, chunks: () => held(download) };
  }
}

/** Ends with CORRUPT when the bytes are not those of the digest that the ETag names: ranges came unchecked. */
async function* held(download: ResumableDownload): AsyncGenerator<Uint8Array> {
  const hash = new DigestBuilder();
  for await (const chunk of download.chunks()) {
    hash.update(chunk);
    yield chunk;
  }
  const expected = /^"(sha256:[0-9a-f]{64})"$/.exec(download.etag)?.[1];
  const actual = hash.digest();
  if (expected === undefined || expected === actual) return;
  throw new VarveError('CORRUPT', `the bytes should hash to ${expected} and hash to ${actual}`, { expected, actual });
}
