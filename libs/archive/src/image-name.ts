import { VarveError } from '#core/error';
import { branchRef, parseRepositoryName, tagRef } from '#core/name';
import type { ImageName } from './archive-image.js';

/** The name of an image that has none: `refs/heads/main` of the repository that the caller names. */
export const unnamed: ImageName = { text: null, repository: null, ref: branchRef('main') };

/**
 * Reads `[host[:port]/]name[:tag]`: the repository is the name without host and `library/`, the ref is the tag
 * (`latest` where none is written), or `refs/heads/main` of a name by digest.
 * @throws NAME_INVALID
 * @see design 0 "Repository and ref of a load"; docker's reference grammar for what is a host
 */
export function parseImageName(text: string): ImageName {
  const [reference = '', digest] = text.split('@', 2);
  const path = withoutHost(reference);
  const at = path.lastIndexOf(':');
  const name = at < 0 ? path : path.slice(0, at);
  const tag = at < 0 ? 'latest' : path.slice(at + 1);
  return inMessage(text, () => ({
    text,
    repository: parseRepositoryName(name.replace(/^library\/(?=.)/, '')),
    ref: digest !== undefined && at < 0 ? unnamed.ref : tagRef(tag),
  }));
}

/** Reads `org.opencontainers.image.ref.name`: most tools write a whole name, skopeo and umoci only the tag. @throws NAME_INVALID */
export function parseRefNameAnnotation(text: string): ImageName {
  if (/[/:@]/.test(text)) return parseImageName(text);
  return inMessage(text, () => ({ text, repository: null, ref: tagRef(text) }));
}

const hostPattern = /^(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;

/** The first part is a host when it could be no repository's: it has a dot, a port or a capital, or is `localhost`. */
function withoutHost(reference: string): string {
  const at = reference.indexOf('/');
  if (at < 0) return reference;
  const first = reference.slice(0, at);
  const isHost = first === 'localhost' || (/[.:A-Z]/.test(first) && hostPattern.test(first));
  return isHost ? reference.slice(at + 1) : reference;
}

function inMessage(text: string, parse: () => ImageName): ImageName {
  try {
    return parse();
  } catch (cause) {
    const reason = cause instanceof VarveError ? cause.message : String(cause);
    throw new VarveError('NAME_INVALID', `the archive names an image "${text}": ${reason}`, { name: text }, { cause });
  }
}
