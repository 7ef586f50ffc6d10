import { VarveError } from './error.js';
import { parseRefName, type RefName } from './name.js';
import { parsePosition, type Position } from './position.js';

/**
 * A revision: text that means a commit, or several. The whole grammar is read here, also the forms that no query
 * evaluates yet, so that a new form is never a new syntax. @see surface.md 4.2
 */
export type Revision = CommitRevision | RangeRevision | PathRevision;

/** What means one commit. */
export type CommitRevision =
  | NamedRevision
  /** `sha256:` and 4 to 64 hex digits: a manifest, config, diffID or chainID. */
  | { readonly type: 'digest'; readonly hex: string }
  /** `v1:` and 4 to 64 hex digits: a docker 1.x layer id. */
  | { readonly type: 'v1'; readonly hex: string }
  /** `:/text`: the newest reachable commit whose message contains the text. */
  | { readonly type: 'message'; readonly text: string }
  /** `X~n` */
  | { readonly type: 'ancestor'; readonly of: CommitRevision; readonly generations: number }
  /** `X^n`; 0 is X itself. */
  | { readonly type: 'parent'; readonly of: CommitRevision; readonly parent: number }
  /** `ref@{n}`: the value `moves` reflog moves ago, 0 the value now. */
  | { readonly type: 'reflog'; readonly of: NamedRevision; readonly moves: number }
  | { readonly type: 'at-time'; readonly of: NamedRevision; readonly time: RevisionTime }
  | { readonly type: 'at-position'; readonly of: NamedRevision; readonly position: Position };

/** What may be a ref. A `name` is a tag, a branch, or the first hex digits of an id, whichever is found first. */
export type NamedRevision =
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'ref'; readonly ref: RefName }
  /** `HEAD` or `@`: the default branch. */
  | { readonly type: 'head' };

/** `A..B`: reachable from B, not from A. `A...B`: from one of them, not from both. A side left out is HEAD. */
export interface RangeRevision {
  readonly type: 'range' | 'symmetric-range';
  readonly from: CommitRevision;
  readonly to: CommitRevision;
}

/** `X:path`: the entry at that path in the union tree of X. */
export interface PathRevision {
  readonly type: 'path';
  readonly of: CommitRevision;
  readonly path: string;
}

/** Milliseconds: since 1970, or before now (a month is 30 days, a year 365). */
export type RevisionTime =
  | { readonly type: 'instant'; readonly ms: number }
  | { readonly type: 'ago'; readonly ms: number };

/** Fewer hex digits than this are never an id. */
export const shortIdDigitsMin = 4;

/**
 * Reads a revision. `v1:` followed by hex digits alone is a v1 id; to name the path `cafe` in a tag `v1`, write
 * `tags/v1:cafe`.
 * @throws NAME_INVALID saying what is wrong and at which character (from 1)
 */
export function parseRevision(text: string): Revision {
  const reader = new Reader(text);
  if (text === '') throw reader.refuse('it is empty');
  const from = reader.startsWith('..') ? head : readCommit(reader);
  if (reader.startsWith('..')) return readRange(reader, from);
  if (reader.accept(':')) return { type: 'path', of: from, path: reader.rest() };
  if (!reader.atEnd()) throw reader.refuse(`${JSON.stringify(reader.next())} cannot follow a revision`);
  return from;
}

const head: NamedRevision = { type: 'head' };

function readRange(reader: Reader, from: CommitRevision): RangeRevision {
  const start = reader.at;
  const type = reader.accept('...') ? 'symmetric-range' : (reader.accept('..'), 'range');
  if (start === 0 && reader.atEnd()) throw reader.refuse('a range needs a revision on one side');
  const to = reader.atEnd() ? head : readCommit(reader);
  if (reader.startsWith('..')) throw reader.refuse('a range has two sides');
  if (reader.startsWith(':')) throw reader.refuse('a range is between commits, not paths');
  if (!reader.atEnd()) throw reader.refuse(`${JSON.stringify(reader.next())} cannot follow a revision`);
  return { type, from, to };
}

function readCommit(reader: Reader): CommitRevision {
  if (reader.accept(':/')) return readMessage(reader);
  let revision = readBase(reader);
  for (;;) {
    if (reader.accept('~')) revision = { type: 'ancestor', of: revision, generations: reader.number() ?? 1 };
    else if (reader.accept('^')) revision = { type: 'parent', of: revision, parent: readParent(reader) };
    else if (reader.startsWith('@{')) throw reader.refuse('@{…} asks a ref, so it follows a ref directly');
    else return revision;
  }
}

function readMessage(reader: Reader): CommitRevision {
  const text = reader.rest();
  if (text === '') throw reader.refuse('":/" needs text to look for');
  return { type: 'message', text };
}

function readParent(reader: Reader): number {
  if (reader.startsWith('{')) throw reader.refuse('^{…} is not known: every revision is a commit here');
  return reader.number() ?? 1;
}

function readBase(reader: Reader): CommitRevision {
  if (reader.accept('sha256:')) return { type: 'digest', hex: readHex(reader, 'sha256:') };
  const v1 = reader.match(/v1:([0-9a-f]{4,64})(?![^~^.]|\.(?!\.))/y);
  if (v1) return { type: 'v1', hex: v1[1] as string };
  const named = readName(reader);
  return reader.accept('@{') ? readHistorical(reader, named) : named;
}

function readHex(reader: Reader, prefix: string): string {
  const hex = reader.match(/[0-9a-f]*/y)?.[0] ?? '';
  if (hex.length < shortIdDigitsMin || hex.length > 64) {
    throw reader.refuse(`${prefix} needs ${shortIdDigitsMin} to 64 lower-case hex digits, not ${hex.length}`);
  }
  return hex;
}

/** A name ends where an operator starts: git keeps `~ ^ :`, `..` and `@{` out of every ref for this. */
function readName(reader: Reader): NamedRevision {
  const start = reader.at;
  const name = reader.match(/(?:(?!\.\.|@\{)[^~^:])+/y)?.[0];
  if (name === undefined) {
    if (reader.startsWith('@{')) return head;
    throw reader.refuse(
      reader.atEnd() ? 'a revision is missing' : `${JSON.stringify(reader.next())} needs a revision before it`,
    );
  }
  if (name === 'HEAD' || name === '@') return head;
  try {
    if (/^(?:refs|heads|tags)\//.test(name)) return { type: 'ref', ref: parseRefName(name) };
    // A tag is a branch name too, so git's rules for branches refuse what can be neither.
    parseRefName(`refs/heads/${name}`);
    return { type: 'name', name };
  } catch (cause) {
    throw reader.refuse(`${JSON.stringify(name)} is neither a ref name nor an id`, start, cause);
  }
}

function readHistorical(reader: Reader, of: NamedRevision): CommitRevision {
  const start = reader.at;
  const inside = reader.match(/[^}]*/y)?.[0] ?? '';
  if (!reader.accept('}')) throw reader.refuse('"@{" has no "}"', start);
  if (/^\d{1,9}$/.test(inside)) return { type: 'reflog', of, moves: Number(inside) };
  if (inside.startsWith('position:')) {
    try {
      return { type: 'at-position', of, position: parsePosition(inside.slice('position:'.length)) };
    } catch (cause) {
      throw reader.refuse('@{position:…} needs <log>.<partition>.<offset>', start, cause);
    }
  }
  const time = parseTime(inside);
  if (!time) throw reader.refuse(`@{${inside}} is neither a number of moves, a time nor a position`, start);
  return { type: 'at-time', of, time };
}

const unitMs = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
  month: 30 * 86_400_000,
  year: 365 * 86_400_000,
};

/** `2026-11-01`, an RFC 3339 time, `3.days.ago` or `yesterday`; undefined for anything else. */
export function parseTime(text: string): RevisionTime | undefined {
  if (text === 'yesterday') return { type: 'ago', ms: unitMs.day };
  const ago = /^(\d{1,6})[. ](second|minute|hour|day|week|month|year)s?[. ]ago$/.exec(text);
  if (ago) return { type: 'ago', ms: Number(ago[1]) * unitMs[ago[2] as keyof typeof unitMs] };
  if (!/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : { type: 'instant', ms };
}

/** The text and how far it is read. */
class Reader {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  startsWith(token: string): boolean {
    return this.#text.startsWith(token, this.at);
  }

  accept(token: string): boolean {
    if (!this.startsWith(token)) return false;
    this.at += token.length;
    return true;
  }

  /** Takes what the sticky pattern finds here. */
  match(sticky: RegExp): RegExpExecArray | null {
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.#text);
    if (found) this.at += found[0].length;
    return found;
  }

  number(): number | undefined {
    const digits = this.match(/\d+/y)?.[0];
    if (digits !== undefined && digits.length > 9)
      throw this.refuse(`${digits} is too large a number`, this.at - digits.length);
    return digits === undefined ? undefined : Number(digits);
  }

  rest(): string {
    const rest = this.#text.slice(this.at);
    this.at = this.#text.length;
    return rest;
  }

  next(): string {
    return this.#text.slice(this.at, this.at + 1);
  }

  atEnd(): boolean {
    return this.at >= this.#text.length;
  }

  refuse(what: string, at = this.at, cause?: unknown): VarveError {
    const place = at + 1;
    const message = `"${this.#text}" is not a revision: ${what} (at character ${place})`;
    return new VarveError('NAME_INVALID', message, { text: this.#text, character: place }, { cause });
  }
}
