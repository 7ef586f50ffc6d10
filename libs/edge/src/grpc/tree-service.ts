import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { parseRepositoryName } from '#core/name';
import { EntryType } from '#proto/gen/varve/v1/entry';
import {
  type FindRequest,
  type FindResponse,
  type ReadFileRequest,
  type ReadFileResponse,
  TreeServiceService,
  type TreeServiceServer,
} from '#proto/gen/varve/v1/tree';
import { readFile } from '#query/cat';
import { find, type FindQuestion } from '#query/find';
import { listTree } from '#query/ls';
import { parsePath } from '#query/path-argument';
import type { Engine } from '../engine.js';
import { gathered, pageOf } from './batch.js';
import type { Calls } from './calls.js';
import { contentMessages } from './content.js';
import { entryBytes, entryMessage, entryTypes } from './entry-message.js';
import { countOf, pageSizeOf } from './request.js';
import type { Served } from './served.js';

export function treeService(calls: Calls): Served {
  const server: TreeServiceServer = {
    listTree: calls.stream(async function* (asked, { engine }) {
      const { repo, rev: revision, path, recursive, cursor, pageSize } = asked;
      const size = pageSizeOf(pageSize, { standard: limit.pageMax, max: limit.treePageMax });
      const question = { revision, path: parsePath(path), recursive, cursor, limit: size };
      const listing = await listTree(engine, parseRepositoryName(repo), question);
      const head = { commit: listing.commit.id, warning: listing.warning ?? undefined };
      yield* pageOf(listing.entries, entryBytes, (some, isLast) => ({
        ...head,
        entries: some.map(entryMessage),
        cursor: isLast ? (listing.cursor ?? undefined) : undefined,
      }));
    }),
    readFile: calls.stream((asked, { engine }) => content(engine, asked)),
    find: calls.stream((asked, { engine }) => found(engine, asked)),
  };
  return { definition: TreeServiceService, server };
}

async function* content(engine: Engine, asked: ReadFileRequest): AsyncGenerator<ReadFileResponse> {
  const question = { revision: asked.rev, path: parsePath(asked.path) };
  const file = await readFile(engine, parseRepositoryName(asked.repo), question);
  const open = async () => ({ size: file.sizeBytes, read: file.read });
  for await (const { head, chunk } of contentMessages({ etag: `"${file.tag}"`, open }, asked.part)) {
    if (head)
      yield {
        part: { $case: 'head', value: { commit: file.commit.id, type: entryTypes[file.entry.type], content: head } },
      };
    else yield { part: { $case: 'chunk', value: chunk } };
  }
}

async function* found(engine: Engine, asked: FindRequest): AsyncGenerator<FindResponse> {
  const { commit, warning, entries } = await find(engine, parseRepositoryName(asked.repo), questionOf(asked));
  yield { line: { $case: 'head', value: { commit: commit.id, warning: warning ?? undefined } } };
  let count = 0;
  for await (const some of gathered(entries(), entryBytes)) {
    count += some.length;
    yield { line: { $case: 'entries', value: { entries: some.map(entryMessage) } } };
  }
  yield { line: { $case: 'summary', value: { entries: count } } };
}

/** @throws REQUEST_INVALID */
function questionOf(asked: FindRequest): FindQuestion {
  const { rev: revision = 'HEAD', path, name = null, sha256 = null, setuid } = asked;
  if (sha256 !== null && !/^[0-9a-f]{4,64}$/.test(sha256)) {
    throw new VarveError('REQUEST_INVALID', `sha256 is "${sha256}": expected 4 to 64 lower-case hex digits`);
  }
  const sizeMin = countOf('size_min', asked.sizeMin) ?? null;
  const sizeMax = countOf('size_max', asked.sizeMax) ?? null;
  return { revision, path: parsePath(path), name, sha256, sizeMin, sizeMax, type: typeOf(asked.type), setuid };
}

/** Hardlinks are no type of an entry of a tree: they are names of files. */
function typeOf(type: EntryType): FindQuestion['type'] {
  if (type === EntryType.ENTRY_TYPE_UNSPECIFIED) return null;
  const [name] = Object.entries(entryTypes).find(([, each]) => each === type) ?? [];
  if (name !== undefined && name !== 'hardlink') return name as FindQuestion['type'];
  throw new VarveError('REQUEST_INVALID', `no entry of a tree is a ${name ?? type}`);
}
