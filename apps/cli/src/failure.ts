import { CommanderError } from 'commander';
import { type ErrorCode, isVarveError, VarveError } from '#core/error';
import { exitCode } from '#core/exit-code';
import { OutputClosed } from './output.js';
import { firstLine } from './terminal-text.js';

/** How a command ends badly: what stands on stderr, and the exit code. */
export interface Failure {
  readonly exit: number;
  /** Empty when there is nothing to say: the reader has left, or commander has said it. */
  readonly text: string;
}

/**
 * What a person needs after a failure: the message, the stable code, and the command to try next; under --json the same
 * as one line. A stack is shown for a bug only, and only when VARVE_DEBUG is set.
 */
export function failureOf(error: unknown, options: { json: boolean; debug: boolean }): Failure {
  if (error instanceof OutputClosed) return { exit: 0, text: '' };
  if (error instanceof CommanderError && error.exitCode === 0) return { exit: 0, text: '' };
  const known = isVarveError(error) ? error : error instanceof CommanderError ? asUsage(error) : asInternal(error);
  return {
    exit: exitCode[known.code] ?? exitCode.INTERNAL,
    text: options.json ? json(known) : prose(known, options.debug),
  };
}

function prose(error: VarveError, debug: boolean): string {
  const lines = [`varve: ${error.message} (${error.code})`, ...detailLines(error)];
  const next = hints[error.code]?.(error);
  if (next) lines.push(`       try: ${next}`);
  if (debug && error.code === 'INTERNAL') lines.push(String((error.cause as Error | undefined)?.stack ?? error.stack));
  return lines.join('\n');
}

function json({ code, message, detail }: VarveError): string {
  return JSON.stringify({ error: { code, message, detail } });
}

/** Candidates and suggestions are what a person would ask for next. */
function detailLines({ detail }: VarveError): string[] {
  const suggestions = listOf(detail['suggestions']);
  const candidates = listOf(detail['candidates']);
  const repositories = listOf(detail['repositories']);
  return [
    ...(suggestions.length > 0 ? [`       did you mean ${suggestions.slice(0, 3).join(' or ')}?`] : []),
    ...candidates.slice(0, 10).map((candidate) => `       ${candidate}`),
    ...(candidates.length > 10 ? [`       and ${candidates.length - 10} more`] : []),
    ...repositories.slice(0, 20).map((name) => `       --repo ${name}`),
  ];
}

function listOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.map((one) => (typeof one === 'string' ? one : (candidateText(one) ?? JSON.stringify(one))));
}

/** `commit 8dbd9e392a96 add curl`: what a short id may be short for, and the first line of its commit. */
function candidateText(value: unknown): string | undefined {
  const { kind, hex, subject } = value as Record<string, unknown>;
  if (typeof kind !== 'string' || typeof hex !== 'string') return undefined;
  return `${kind} ${hex} ${typeof subject === 'string' ? firstLine(subject) : ''}`.trimEnd();
}

/** The next command to try. What a message already says itself has none. */
const hints: Partial<Record<ErrorCode, (error: VarveError) => string | undefined>> = {
  REQUEST_INVALID: ({ detail }) => {
    if (detail['usage'] === true) return 'varve --help, or varve COMMAND --help';
    return Array.isArray(detail['images']) && detail['ref'] === undefined
      ? 'the same command with --repo NAME'
      : undefined;
  },
  REPOSITORY_UNKNOWN: () => 'varve repos',
  REPOSITORY_EXISTS: () => 'varve repos',
  REF_UNKNOWN: () => 'varve refs',
  COMMIT_UNKNOWN: () => 'varve log',
  PATH_UNKNOWN: ({ detail }) =>
    typeof detail['layer'] === 'string' ? 'varve layer ls DIFFID' : 'varve ls REV, or varve ls REV DIRECTORY',
  BLOB_UNKNOWN: ({ detail }) =>
    typeof detail['layer'] === 'string' ? 'varve show REV, which names the layers of a commit' : undefined,
  REVISION_AMBIGUOUS: () => 'the same command with more digits of the id',
  REF_STALE: () => 'the same command again, once you have seen what moved: varve reflog',
  NOT_FAST_FORWARD: () => 'varve reset BRANCH REV, which may leave commits behind (the reflog keeps them)',
  TAG_IMMUTABLE: () => 'the same command with --move (varve load: --move-tags)',
  TAG_TOMBSTONED: () => 'varve restore TAG, or the same command with --move (varve load: --move-tags)',
  EXPECTATION_REQUIRED: () => 'the same command with --expect COMMIT.VERSION, as varve refs --json says',
  OUTCOME_UNKNOWN: ({ detail }) => {
    const named = transactionIn(detail);
    return named && `varve transaction show ${named}, which says what became of it (with cancel for show: ends it)`;
  },
  TRANSACTION_UNKNOWN: () => 'the same command again in a moment, or with cancel for show, which ends it',
  IDEMPOTENCY_KEY_REUSED: () => 'the same command with another --idempotency-key, or without',
  UNAVAILABLE: ({ detail }) =>
    detail['refused'] === true ? 'varve serve (or name another server with --server or VARVE_SERVER)' : undefined,
  TIME_UNKNOWN: () => 'varve audit log -n 1, which shows the first record',
  PROOF_INVALID: () => 'varve audit proof, which makes it again; keep this file if somebody gave it to you as it is',
  POSITION_UNKNOWN: () => 'varve status, which shows the log and how far it is',
  CHECKPOINT_UNLINKED: () => 'varve audit proof again on this machine, while the server can be reached',
  NOT_PROJECTED: () => 'the same command again in a moment',
  OVERLOADED: () => 'the same command again in a moment',
  STORAGE_FULL: () => 'the same command again when there is room; nothing of it was kept',
  INTERNAL: () => 'the same command with VARVE_DEBUG=1, and report what it says',
};

/** As the arguments of a command; undefined for the records of a collection, which is run again. */
function transactionIn({ txid, repository, gcEpoch }: VarveError['detail']): string | undefined {
  if (typeof txid !== 'string' || typeof repository !== 'string') return undefined;
  return `${txid} --repo ${repository}${typeof gcEpoch === 'number' ? ` --gc-epoch ${gcEpoch}` : ''}`;
}

/** What commander could not read. */
function asUsage({ message }: CommanderError): VarveError {
  const [said = '', ...more] = message.replace(/^error: /, '').split('\n');
  return new VarveError('REQUEST_INVALID', said, { usage: true, suggestions: more.flatMap(suggestionIn) });
}

/** `(Did you mean checkout?)`, `(Did you mean one of log, load?)` */
function suggestionIn(line: string): string[] {
  const meant = /Did you mean (?:one of )?([^?]+)\?/.exec(line)?.[1];
  return meant === undefined ? [] : meant.split(', ');
}

function asInternal(error: unknown): VarveError {
  const message = error instanceof Error ? error.message : String(error);
  return new VarveError('INTERNAL', `a fault of ours: ${message}`, {}, { cause: error });
}
