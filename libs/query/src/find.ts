import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { isDirectory, nameStart, type RootfsTree, sizeOf, typeOf } from '#union/rootfs-tree';
import { commitTree, type FileSources } from './commit-tree.js';
import { ContentDigests } from './content-digests.js';
import { findNode } from './find-node.js';
import { matchGlob } from './glob.js';
import { NodePaths } from './node-paths.js';
import { entryOf, type TreeEntry, typeNames } from './tree-entry.js';

/** What an entry must be to be found; null asks nothing. */
export interface FindQuestion {
  readonly revision: string;
  /** Where to look: at this path and below it. */
  readonly path: Buffer;
  /** A glob for the last component: `*`, `?`, `[a-z]`, `[!a-z]`, `\` before a character of these. */
  readonly name: string | null;
  /** The first hex digits of a file's sha256. */
  readonly sha256: string | null;
  /** Bytes of a file; both ends count. */
  readonly sizeMin: number | null;
  readonly sizeMax: number | null;
  /** Has the setuid or the setgid bit, and is a file. */
  readonly setuid: boolean;
  readonly type: TreeEntry['type'] | null;
}

/** What was found, entry by entry, in the order of the canonical tar. */
export interface Found {
  readonly commit: CommitRow;
  readonly warning: string | null;
  readonly entries: () => AsyncGenerator<TreeEntry>;
}

const setuidBits = 0o6000;
const globCharactersMax = 1024;

/** Looks through a commit's union tree; no layer is read. @throws what `resolve` throws, PATH_UNKNOWN, REQUEST_INVALID */
export async function find(sources: FileSources, repo: RepositoryName, question: FindQuestion): Promise<Found> {
  if ((question.name?.length ?? 0) > globCharactersMax) {
    throw new VarveError('REQUEST_INVALID', `a glob has at most ${globCharactersMax} characters`);
  }
  const { commit, tree, warning } = await commitTree(sources, repo, question.revision);
  const start = findNode(tree, question.path);
  const digests = new ContentDigests(sources.layers, repo);
  return { commit, warning, entries: () => search({ tree, start, digests }, question) };
}

interface Place {
  readonly tree: RootfsTree;
  readonly start: number;
  readonly digests: ContentDigests;
}

async function* search({ tree, start, digests }: Place, question: FindQuestion): AsyncGenerator<TreeEntry> {
  const paths = isDirectory(tree, start) ? new NodePaths(tree, start, question.path) : null;
  for (let node = start; node < tree.subtreeEnd[start]!; node++) {
    if (!suits(tree, node, question)) continue;
    const loading = digests.load(tree, node);
    if (loading) await loading;
    const sha256 = digests.digest(tree, node);
    if (question.sha256 !== null && !(sha256 ?? '').startsWith(`sha256:${question.sha256}`)) continue;
    yield entryOf(tree, node, node === start || !paths ? question.path : paths.of(node), sha256);
  }
}

/** All but the digest, the cheapest first. */
function suits(tree: RootfsTree, node: number, question: FindQuestion): boolean {
  const type = typeNames[typeOf(tree, node)]!;
  if (question.type !== null && type !== question.type) return false;
  if (question.sha256 !== null && type !== 'file') return false;
  if (question.setuid && (type !== 'file' || (tree.mode[node]! & setuidBits) === 0)) return false;
  if (!suitsSize(tree, node, question)) return false;
  if (question.name === null) return true;
  const name = Buffer.from(tree.names.subarray(nameStart(tree, node), tree.nameEnd[node])).toString();
  return node > 0 && matchGlob(question.name, name);
}

function suitsSize(tree: RootfsTree, node: number, { sizeMin, sizeMax }: FindQuestion): boolean {
  if (sizeMin === null && sizeMax === null) return true;
  if (typeNames[typeOf(tree, node)] !== 'file') return false;
  const size = sizeOf(tree, node);
  return (sizeMin === null || size >= sizeMin) && (sizeMax === null || size <= sizeMax);
}
