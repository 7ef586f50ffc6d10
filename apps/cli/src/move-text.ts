import type { MovedRef } from '#client/answer';
import { shortId } from './ref-text.js';

/** What became of a ref, in one line. */
export function moveText({ name, from, commit, changed }: MovedRef): string {
  const now = commit === null ? 'nothing' : shortId(commit);
  if (!changed) return `${name} is at ${now} already`;
  return from === null ? `${name} is now at ${now}` : `${name} moved from ${shortId(from)} to ${now}`;
}
