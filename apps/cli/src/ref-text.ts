import { parseRefName, shortRefName } from '#core/name';

/** Digits of an id that people see, as docker showed them. */
export const shortIdDigits = 12;

export function shortId(id: string): string {
  return id.slice(0, shortIdDigits);
}

/** `main, tag: v1`: the refs at a commit, as `git log --decorate` names them. Empty without refs. */
export function decoration(refs: readonly string[]): string {
  return refs.length === 0 ? '' : ` (${refs.map(decorated).join(', ')})`;
}

export function isTagRef(ref: string): boolean {
  return ref.startsWith('refs/tags/');
}

/** A ref without `refs/heads/` or `refs/tags/`. */
export function bareName(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, '');
}

/** `main`, `heads/main` and `refs/heads/main` are the same branch. @throws NAME_INVALID for a tag or a bad name */
export function branchName(text: string): string {
  return shortRefName(parseRefName(withKind(text, 'heads')));
}

export function branchRefOf(text: string): string {
  return parseRefName(withKind(text, 'heads'));
}

export function tagRefOf(text: string): string {
  return parseRefName(withKind(text, 'tags'));
}

function withKind(text: string, kind: 'heads' | 'tags'): string {
  const short = text.startsWith('refs/') ? text.slice('refs/'.length) : text;
  return short.startsWith(`${kind}/`) ? short : `${kind}/${short}`;
}

function decorated(ref: string): string {
  return isTagRef(ref) ? `tag: ${bareName(ref)}` : bareName(ref);
}
