import type { FsckFinding } from '#client/fsck-answer';

/** `fault  blob-missing: …`, where it is, and what to do, each on a line. */
export function findingText({ severity, rule, what, where, message }: FsckFinding): string {
  return `${severity.padEnd(6)} ${rule}: ${what}\n       ${where}\n       ${message}`;
}
