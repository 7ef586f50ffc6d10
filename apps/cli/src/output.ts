import type { Writable } from 'node:stream';
import { type Paint, paintFor, plain } from './colour.js';
import type { Pager } from './pager.js';

/** The reader of our standard output has left (`varve log | head`). For lists this is success; nobody is told. */
export class OutputClosed extends Error {}

/** Lines are gathered to about this size, so that a long list costs few writes. */
const flushBytes = 64 << 10;

/**
 * Where a command's answer goes: text for people, or JSON with stable shapes. Notes and errors go to stderr, so that
 * a pipe carries the answer alone. Waits for a slow reader.
 */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Colours the answer for a terminal. */
  readonly paint: Paint;
  readonly isTerminal: boolean;
  readonly #columns: number;
  #stdout: Writable;
  #pager: Pager | null = null;
  readonly #stderr: Writable;
  #pending = '';

  constructor(options: {
    json: boolean;
    quiet: boolean;
    stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
    stderr: Writable;
    env?: NodeJS.ProcessEnv;
  }) {
    this.json = options.json;
    this.paint = options.json ? plain : paintFor(options.stdout, options.env ?? {});
    this.quiet = options.quiet;
    this.isTerminal = options.stdout.isTTY === true;
    this.#columns = options.stdout.columns ?? 80;
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
  }

  /** The one answer: `value` as a JSON document, or what `text` makes of it (no text, no line). */
  async answer<T>(value: T, text: (value: T) => string): Promise<void> {
    const shown = this.json ? JSON.stringify(value, null, 2) : text(value);
    if (shown !== '') await this.#write(`${shown}\n`);
  }

  /** One entry of a list that streams: a line of JSON, or lines of text. */
  async entry<T>(value: T, text: (value: T) => string): Promise<void> {
    this.#pending += `${this.json ? JSON.stringify(value) : text(value)}\n`;
    if (this.#pending.length >= flushBytes) await this.flush();
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = '';
    if (pending !== '') await this.#write(pending);
  }

  /** Characters in a line of the terminal that people read this on, a pager or not; undefined when it is none. */
  get width(): number | undefined {
    return this.isTerminal && !this.json ? this.#columns : undefined;
  }

  /** From now on a long answer to a terminal goes through a pager. */
  async page(env: NodeJS.ProcessEnv): Promise<void> {
    if (this.json || !this.isTerminal || this.#pager) return;
    const { startPager } = await import('./pager.js');
    this.#pager = await startPager(env);
    if (this.#pager) this.#stdout = this.#pager.input;
  }

  /** Returns when the reader of a pager is done. */
  async end(): Promise<void> {
    await this.#pager?.end();
  }

  /** Bytes as they are, for `-o -`. @throws OutputClosed */
  bytes(chunk: Uint8Array): Promise<void> {
    return this.#write(chunk);
  }

  /** Said to people only: not under --json or --quiet. */
  note(text: string): void {
    if (!this.json && !this.quiet) this.#stderr.write(`${text}\n`);
  }

  /** What must not be lost in silence: shown under --quiet too. */
  warn(text: string): void {
    this.#stderr.write(`varve: ${text}\n`);
  }

  #write(chunk: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stdout.write(chunk, (error) => (error ? reject(asClosed(error)) : resolve()));
    });
  }
}

function asClosed(error: NodeJS.ErrnoException): Error {
  return error.code === 'EPIPE' ? new OutputClosed('standard output is closed', { cause: error }) : error;
}
