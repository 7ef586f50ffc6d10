import { canonicalJson, isCanonicalText, type Json } from './canonical-json.js';
import { hash } from 'node:crypto';
import { type ChainId, type Digest, type DiffId, emptyChainId, extendChain, isDigest } from './digest.js';
import { VarveError } from './error.js';
import { limit } from './limit.js';

/** 64 lower-case hex digits: the sha256 of a commit's canonical bytes. Without `sha256:`, as git writes ids. */
export type CommitId = string & { readonly __brand: 'CommitId' };

/** @see OCI image-spec, image-index.md "platform"; `variant` is null where there is none, never absent. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant: string | null;
}

/** @see OCI image-spec, descriptor.md; `size` in bytes */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** Where a commit came from; told, drawn, never ancestry. `v1Id` is the docker 1.x layer id of a 2015 archive. */
export interface Origin {
  readonly v1Id?: string;
  readonly importOf?: Digest;
}

/**
 * One dated layer of history, immutable. All keys are always there (design.md 0).
 * `layers` are diffIDs, oldest first, put on the first parent's stack (`base: 'parent'`) or on nothing (`'empty'`).
 * `config` names a blob with the exact OCI config bytes. `time` is RFC 3339 with `Z`, as given.
 * `union` is the version of the union's rules that give this commit its tree, for ever.
 */
export interface Commit {
  readonly v: 1;
  readonly union: 1;
  readonly parents: readonly CommitId[];
  readonly base: 'parent' | 'empty';
  readonly layers: readonly DiffId[];
  readonly config: Digest | null;
  readonly manifest: Descriptor | null;
  readonly index: readonly { readonly platform: Platform; readonly commit: CommitId }[] | null;
  readonly platform: Platform | null;
  readonly author: string;
  readonly committer: string;
  readonly time: string | null;
  readonly message: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly origin: Origin | null;
}

/** A commit with its identity: `id = sha256(bytes)`, `bytes` the canonical JSON. */
export interface EncodedCommit {
  readonly id: CommitId;
  readonly bytes: Uint8Array;
  readonly commit: Commit;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const keysOfCommit = [
  'author', 'base', 'committer', 'config', 'index', 'labels', 'layers', 'manifest', 'message', 'origin', 'parents',
  'platform', 'time', 'union', 'v',
]; // prettier-ignore

/** A commit of nothing on nothing; every field of `fields` replaces one. */
export function newCommit(fields: Partial<Omit<Commit, 'v' | 'union'>>): Commit {
  return {
    v: 1,
    union: 1,
    parents: [],
    base: fields.parents && fields.parents.length > 0 ? 'parent' : 'empty',
    layers: [],
    config: null,
    manifest: null,
    index: null,
    platform: null,
    author: '',
    committer: '',
    time: null,
    message: '',
    labels: {},
    origin: null,
    ...fields,
  };
}

/** @throws COMMIT_INVALID, LIMIT_EXCEEDED */
export function encodeCommit(commit: Commit): EncodedCommit {
  // The shape first: it bounds how deep the value nests, so that writing it cannot exhaust the stack.
  checkShape(commit);
  const bytes = Buffer.from(canonicalJson(commit as unknown as Json));
  checkSize(bytes.length);
  return { id: commitIdOf(bytes), bytes, commit };
}

export function commitIdOf(bytes: Uint8Array): CommitId {
  return hash('sha256', bytes, 'hex') as CommitId;
}

/** @throws COMMIT_INVALID when the bytes are not the canonical bytes of a commit */
export function decodeCommit(bytes: Uint8Array): EncodedCommit {
  const { text, commit } = parseCommit(bytes);
  checkShape(commit);
  checkSize(bytes.length);
  const id = commitIdOf(bytes);
  if (!isCanonicalText(text, commit as unknown as Json)) {
    throw new VarveError('COMMIT_INVALID', `commit ${id} is not written in its canonical form (RFC 8785)`);
  }
  return { id, bytes, commit };
}

function parseCommit(bytes: Uint8Array): { readonly text: string; readonly commit: Commit } {
  try {
    const text = utf8.decode(bytes);
    return { text, commit: JSON.parse(text) as Commit };
  } catch (cause) {
    throw new VarveError('COMMIT_INVALID', 'a commit is not JSON in UTF-8', {}, { cause });
  }
}

/** @throws NAME_INVALID */
export function parseCommitId(text: string): CommitId {
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new VarveError('NAME_INVALID', `"${text}" is not a commit id: expected 64 lower-case hex digits`, { text });
  }
  return text as CommitId;
}

export function isCommitId(text: unknown): text is CommitId {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

/** The fixed first commit that `init` makes: no layers, no time, no author. */
export const genesis: EncodedCommit = encodeCommit(newCommit({ message: 'genesis' }));

/** The chainID of the stack a commit means, from the chainID of its first parent's. */
export function chainIdOn(parentChain: ChainId, commit: Commit): ChainId {
  return commit.layers.reduce(extendChain, commit.base === 'parent' ? parentChain : emptyChainId);
}

function checkShape(commit: Commit): void {
  const wrong = whatIsWrong(commit);
  if (wrong) throw new VarveError('COMMIT_INVALID', `a commit is refused: ${wrong}`);
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes > limit.commitBytesMax) {
    throw new VarveError(
      'LIMIT_EXCEEDED',
      `a commit of ${sizeBytes} bytes is over the limit of ${limit.commitBytesMax}`,
      {
        sizeBytes,
        limitBytes: limit.commitBytesMax,
      },
    );
  }
}

function whatIsWrong(c: Commit): string | undefined {
  if (typeof c !== 'object' || c === null) return 'it is not an object';
  if (!hasKeys(c, keysOfCommit)) return `its keys are ${Object.keys(c).toSorted().join(', ')}`;
  if (c.v !== 1 || c.union !== 1) return `version ${String(c.v)}, union ${String(c.union)}`;
  if (!Array.isArray(c.parents) || !c.parents.every(isCommitId)) return 'parents are not commit ids';
  if (new Set(c.parents).size !== c.parents.length) return 'a parent stands twice';
  if (c.base !== 'parent' && c.base !== 'empty') return `base is ${String(c.base)}`;
  if (c.base === 'parent' && c.parents.length === 0) return 'base is parent, and there is no parent';
  if (!Array.isArray(c.layers) || !c.layers.every((layer) => typeof layer === 'string' && isDigest(layer))) {
    return 'layers are not diffIDs';
  }
  if (c.config !== null && !(typeof c.config === 'string' && isDigest(c.config))) return 'config is not a digest';
  if (c.manifest !== null && !isDescriptor(c.manifest)) return 'manifest is not a descriptor';
  if (c.index !== null && !(Array.isArray(c.index) && c.index.every(isIndexEntry))) {
    return 'index is not a list of platforms and commits';
  }
  if (c.platform !== null && !isPlatform(c.platform)) return 'platform is not {architecture, os, variant}';
  if (![c.author, c.committer, c.message].every((text) => typeof text === 'string')) {
    return 'author, committer and message are not text';
  }
  if (c.time !== null && !isInstant(c.time)) return `time ${JSON.stringify(c.time)} is not RFC 3339 with Z`;
  if (!isStringMap(c.labels)) return 'labels are not text to text';
  if (Object.keys(c.labels).length > limit.labelsMax) return `more than ${limit.labelsMax} labels`;
  if (c.origin !== null && !isOrigin(c.origin)) return 'origin is not understood';
  return undefined;
}

function isDescriptor(d: unknown): d is Descriptor {
  if (!hasKeys(d, ['digest', 'mediaType', 'size'])) return false;
  const { mediaType, digest, size } = d as unknown as Descriptor;
  return typeof mediaType === 'string' && typeof digest === 'string' && isDigest(digest) && isSize(size);
}

function isIndexEntry(e: unknown): boolean {
  if (!hasKeys(e, ['commit', 'platform'])) return false;
  return isPlatform(e['platform']) && isCommitId(e['commit']);
}

function isPlatform(p: unknown): p is Platform {
  if (!hasKeys(p, ['architecture', 'os', 'variant'])) return false;
  const { architecture, os, variant } = p as unknown as Platform;
  return (
    typeof architecture === 'string' && typeof os === 'string' && (variant === null || typeof variant === 'string')
  );
}

function isOrigin(o: unknown): o is Origin {
  if (typeof o !== 'object' || o === null) return false;
  return Object.entries(o).every(([key, value]) => {
    if (key === 'v1Id') return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
    return key === 'importOf' && typeof value === 'string' && isDigest(value);
  });
}

function isStringMap(m: unknown): m is Record<string, string> {
  return (
    typeof m === 'object' && m !== null && !Array.isArray(m) && Object.values(m).every((v) => typeof v === 'string')
  );
}

function isInstant(text: unknown): text is string {
  return (
    typeof text === 'string' &&
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/.test(text) &&
    !Number.isNaN(Date.parse(text.replace(/\.\d+Z$/, 'Z')))
  );
}

/** Exactly these, which are given in order. */
function hasKeys(value: unknown, keys: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const own = Object.keys(value);
  // In canonical text they stand in order already.
  return areSame(own, keys) || areSame(own.toSorted(), keys);
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
