import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { CommitId } from '#core/commit';
import { unreachable } from '#core/error';
import type { RefValue } from '#core/ref';
import type { RefOperationSeen } from '../simulation/linearizability.js';

/** What a client wants of one ref. `commit`: a new commit on a branch that is where it expects it. */
export type RefCall = RefOperationSeen['call'] | { readonly type: 'commit'; readonly expect: RefValue };

/** What it was told in the end. `info`: nothing that says whether it happens. */
export type RefEnd =
  | { readonly type: 'ok'; readonly value: RefValue }
  | { readonly type: 'absent' }
  | { readonly type: 'fail'; readonly code: string }
  | { readonly type: 'info'; readonly code: string };

export interface RefInvoke {
  /** Unique in the history: the idempotency key and the reason of the write, too. */
  readonly name: string;
  readonly client: string;
  readonly repo: string;
  readonly ref: string;
  readonly call: RefCall;
}

/** One operation, with the places in the history of its beginning and its end. */
export interface RecordedOperation extends RefInvoke {
  readonly invoked: number;
  /** Infinity while nothing else is known than that it began. */
  readonly returned: number;
  readonly end: RefEnd;
}

type Line = ({ readonly type: 'invoke' } & RefInvoke) | ({ readonly name: string } & RefEnd);

/**
 * Writes down what clients ask and are told, as it happens: one line of JSON each, in the order of real time, in the
 * file before anything else goes on. `at` is for people; the order of the lines is the truth.
 */
export class HistoryRecorder {
  readonly path: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'ax');
  }

  /** Before the request is sent. */
  invoke(invoke: RefInvoke): void {
    this.#write({ type: 'invoke', ...invoke });
  }

  /** After the answer has come. */
  end(name: string, end: RefEnd): void {
    this.#write({ name, ...end });
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify({ ...line, at: new Date().toISOString() })}\n`);
  }
}

/**
 * Reads what a recorder has written.
 * @throws Error at a line that is none, an end without its beginning, and an operation that begins or ends twice
 */
export function readHistory(path: string): RecordedOperation[] {
  const operations = new Map<string, RecordedOperation>();
  const text = readFileSync(path, 'utf8');
  if (text !== '' && !text.endsWith('\n')) throw new Error(`${path} ends in the middle of a line`);
  for (const [i, source] of text.split('\n').slice(0, -1).entries()) {
    const line = parseLine(source, `${path}:${i + 1}`);
    const known = operations.get(line.name);
    if (line.type === 'invoke') {
      if (known) throw new Error(`${path}:${i + 1}: ${line.name} begins twice`);
      const { name, client, repo, ref, call } = line;
      const end = { type: 'info', code: '' } as const;
      operations.set(name, { name, client, repo, ref, call, invoked: i, returned: Number.POSITIVE_INFINITY, end });
    } else {
      if (!known) throw new Error(`${path}:${i + 1}: ${line.name} ends and never began`);
      if (known.end.type !== 'info' || known.end.code !== '')
        throw new Error(`${path}:${i + 1}: ${line.name} ends twice`);
      const returned = line.type === 'info' ? Number.POSITIVE_INFINITY : i;
      operations.set(line.name, { ...known, returned, end: endOf(line) });
    }
  }
  return [...operations.values()];
}

function parseLine(source: string, place: string): Line {
  try {
    const line = JSON.parse(source) as Line;
    if (typeof line.name === 'string' && ['invoke', 'ok', 'absent', 'fail', 'info'].includes(line.type)) return line;
  } catch {
    // Said below.
  }
  throw new Error(`${place} is no line of a history: ${source}`);
}

function endOf(line: Exclude<Line, { type: 'invoke' }>): RefEnd {
  switch (line.type) {
    case 'ok':
      return { type: 'ok', value: line.value };
    case 'absent':
      return { type: 'absent' };
    case 'fail':
    case 'info':
      return { type: line.type, code: line.code };
    default:
      return unreachable(line);
  }
}

/**
 * The history of one ref as its register saw it. `commitOf` says which commit a write made that nobody was told the end
 * of, undefined when it made none. A refusal for another reason than the value says nothing of it.
 */
export function seenOf(
  operations: readonly RecordedOperation[],
  commitOf: (name: string) => CommitId | null | undefined,
): RefOperationSeen[] {
  return operations.flatMap(({ name, call: asked, end, invoked, returned }): RefOperationSeen[] => {
    const span = { invoked, returned };
    if (asked.type === 'read') {
      return end.type === 'ok' || end.type === 'absent' ? [{ ...span, call: asked, answer: end }] : [];
    }
    if (end.type === 'absent') throw new Error(`${name} is a write and was told that nothing is there`);
    const to = end.type === 'ok' ? end.value.commit : asked.type === 'commit' ? commitOf(name) : asked.to;
    const call = asked.type === 'commit' ? { type: 'swap' as const, expect: asked.expect, to: to ?? null } : asked;
    if (end.type === 'ok') return [{ ...span, call, answer: end }];
    if (end.type === 'fail') return end.code === 'REF_STALE' ? [{ ...span, call, answer: { type: 'stale' } }] : [];
    return to === undefined ? [] : [{ ...span, call, answer: { type: 'unknown' } }];
  });
}
