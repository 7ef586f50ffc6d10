import { VarveError } from './error.js';
import { limit } from './limit.js';

/** A named history, in the OCI grammar. @see OCI distribution-spec "Pulling manifests" */
export type RepositoryName = string & { readonly __brand: 'RepositoryName' };

/** The full name of a ref: `refs/heads/…` or `refs/tags/…`. */
export type RefName = string & { readonly __brand: 'RefName' };

const repositoryPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
/** What git refuses in a ref: control characters, space, `~^:?*[\`, `..`, `@{`, `//`, a dot or `.lock` at the wrong end. */
// oxlint-disable-next-line no-control-regex
const refRefused = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$|(?:^|\/)\.|\.lock(?:\/|$)|^@$|^-/;

/** @throws NAME_INVALID */
export function parseRepositoryName(text: string): RepositoryName {
  if (!repositoryPattern.test(text) || text.length > limit.repositoryNameBytesMax) {
    throw new VarveError(
      'NAME_INVALID',
      `"${text}" is not a repository name: lower-case letters and digits, separated by one of . _ __ - or /, at most ${limit.repositoryNameBytesMax} bytes`,
      { name: text },
    );
  }
  return text as RepositoryName;
}

/** @throws NAME_INVALID @see git check-ref-format */
export function branchRef(branch: string): RefName {
  if (branch === '' || refRefused.test(branch) || !branch.isWellFormed() || tooLong(`refs/heads/${branch}`)) {
    throw new VarveError('NAME_INVALID', `"${branch}" is not a branch name (the rules are git's)`, { name: branch });
  }
  return `refs/heads/${branch}` as RefName;
}

/** @throws NAME_INVALID @see OCI distribution-spec, <reference> as a tag */
export function tagRef(tag: string): RefName {
  if (!tagPattern.test(tag)) {
    throw new VarveError(
      'NAME_INVALID',
      `"${tag}" is not a tag: letters, digits, _ . and -, at most 128, the first no . or -`,
      { name: tag },
    );
  }
  return `refs/tags/${tag}` as RefName;
}

/** Reads `refs/heads/x`, `refs/tags/x`, `heads/x` or `tags/x`. @throws NAME_INVALID */
export function parseRefName(text: string): RefName {
  const short = text.startsWith('refs/') ? text.slice('refs/'.length) : text;
  if (short.startsWith('heads/')) return branchRef(short.slice('heads/'.length));
  if (short.startsWith('tags/')) return tagRef(short.slice('tags/'.length));
  throw new VarveError('NAME_INVALID', `"${text}" is not a ref: expected refs/heads/… or refs/tags/…`, { name: text });
}

export function isTag(ref: RefName): boolean {
  return ref.startsWith('refs/tags/');
}

/** What people type: the branch or the tag without its prefix. */
export function shortRefName(ref: RefName): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, '');
}

function tooLong(ref: string): boolean {
  return Buffer.byteLength(ref) > limit.refNameBytesMax;
}
