import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { branchRef, parseRepositoryName } from '#core/name';
import {
  type Commit,
  type CommitHeader,
  CommitServiceService,
  type CommitServiceServer,
  GetCommitResponse_Base,
} from '#proto/gen/varve/v1/commit';
import { knownRepository } from '#query/known-repository';
import { log } from '#query/log';
import { mergeBase } from '#query/merge-base';
import type { PlacedCommit } from '#query/read-commit';
import { resolve } from '#query/resolve';
import { show } from '#query/show';
import { commitOnBranch, type LayerSource } from '../command/commit-on-branch.js';
import type { Engine } from '../engine.js';
import { renderCommit, renderShown } from '../rest/answer.js';
import { withContent } from '../rest/write-request.js';
import { absent } from './absent.js';
import { pageOf } from './batch.js';
import { writeContextOf } from './call.js';
import type { Calls } from './calls.js';
import { expectationOf, pageSizeOf } from './request.js';
import type { Served } from './served.js';
import { openUpload, type Upload } from './upload.js';

export function commitService(engine: Engine, calls: Calls): Served {
  const server: CommitServiceServer = {
    commit: calls.receive(async (messages, call) => {
      const upload = await openUpload(messages, call.signal);
      try {
        const commit = await commitOf(engine, upload.header);
        // The clock goes on between a try and the next; a retry is the same write all the same.
        const asked = { ...upload.header, time: undefined };
        const context = writeContextOf(call, { reason: upload.header.reason, asked });
        const made = await commitOnBranch(engine, commit, {
          source: sourceOf(upload),
          withContent: (digest) => withContent(context, digest),
        });
        const { layer, position, replayed, ...rest } = made;
        return { ...rest, layer: layer ?? undefined, written: { position, replayed } };
      } finally {
        await upload.bytes?.return(undefined);
      }
    }),
    listCommits: calls.stream(async function* (asked, { engine: then }) {
      const repo = parseRepositoryName(asked.repo);
      const { rev: revision = 'HEAD', cursor: from, firstParent } = asked;
      const pageSize = pageSizeOf(asked.pageSize, { standard: 100, max: limit.pageMax });
      const page = await log(then, repo, { revision, cursor: from, firstParent, limit: pageSize });
      const commits = page.commits.map((commit) => commitMessage(then, commit));
      yield* pageOf(commits, bytesOf, (some, isLast) => ({ commits: some, cursor: isLast ? (page.cursor ?? undefined) : undefined })); // prettier-ignore
    }),
    getCommit: calls.ask(async ({ repo, rev }, { engine: then }) => {
      const shown = await show(then, parseRepositoryName(repo), rev);
      const { base, config, manifest, index, configuration, warning } = renderShown(then, shown);
      return {
        commit: commitMessage(then, shown),
        base: base === 'parent' ? GetCommitResponse_Base.BASE_PARENT : GetCommitResponse_Base.BASE_EMPTY,
        ...absent({ config, manifest, warning }),
        index: absent(index) ?? [],
        configurationJson: configuration === null ? undefined : JSON.stringify(configuration),
      };
    }),
    resolve: calls.ask(async ({ repo, rev }, { engine: then }) => {
      const { commit, ref, warning } = await resolve(then, parseRepositoryName(repo), rev);
      return absent({ commit: commit.id, ref, warning });
    }),
    mergeBase: calls.ask(async ({ repo: name, a, b }, { engine: then }) => {
      const repo = parseRepositoryName(name);
      const [one, other] = [await resolve(then, repo, a), await resolve(then, repo, b)];
      return { bases: (await mergeBase(then.graph, one.commit, other.commit)).map(({ id }) => id) };
    }),
  };
  return { definition: CommitServiceService, server };
}

function commitMessage(engine: Engine, commit: PlacedCommit): Commit {
  const rendered = absent(renderCommit(engine, commit));
  return { ...rendered, platform: rendered.platform, origin: rendered.origin };
}

/** A commit holds text of up to `limit.commitBytesMax`. */
function bytesOf({ message, author, labels, layers, refs }: Commit): number {
  const labelled = Object.entries(labels).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return 1_000 + 3 * (message.length + author.length + labelled) + 80 * layers.length + 260 * refs.length;
}

/** @throws REPOSITORY_UNKNOWN, NAME_INVALID, REQUEST_INVALID */
async function commitOf({ graph }: Engine, header: CommitHeader) {
  const { message, author, time = null, labels } = header;
  const repo = parseRepositoryName(header.repo);
  await knownRepository(graph, repo);
  const expect = expectationOf(header.expect);
  if (typeof expect === 'string') {
    throw new VarveError(
      'REQUEST_INVALID',
      `a commit goes on a branch in a state of its own, and cannot expect ${expect}`,
    );
  }
  return { repo, branch: branchRef(header.branch), message, author, time, labels, expect };
}

/** @throws REQUEST_INVALID when there are bytes and a stored layer is named as well */
function sourceOf({ header: { layer }, bytes }: Upload<CommitHeader>): LayerSource {
  if (layer === undefined) return bytes ? { type: 'bytes', bytes } : { type: 'none' };
  if (!bytes) return { type: 'stored', layer };
  throw new VarveError(
    'REQUEST_INVALID',
    `the header names the stored layer ${layer} and bytes follow: give one of them`,
  );
}
