import { isCommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefValue } from '#core/ref';

/** The ETag of a ref that exists: `"<commit>.<version>"`. */
export function refTag({ commit, version }: RefValue): string {
  return `"${commit}.${version}"`;
}

/** Reads `<commit>.<version>`, with or without the quotes of a header. @throws REQUEST_INVALID */
export function parseRefTag(text: string): RefValue {
  const match = /^"?([0-9a-f]{64})\.(\d{1,15})"?$/.exec(text.trim());
  if (match && isCommitId(match[1])) return { commit: match[1], version: Number(match[2]) };
  throw new VarveError(
    'REQUEST_INVALID',
    `"${text}" is not the state of a ref: expected "<commit>.<version>", as its ETag`,
    {
      text,
    },
  );
}
