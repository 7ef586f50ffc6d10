import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { S3Options } from '#adapters/s3/s3-options';
import { digestOf } from '#core/digest';
import type { DerivedAddress } from '#ports/blob-store';

/** What `s3-uploader.ts` uploads for an address. */
export const uploaded: DerivedAddress = { kind: 'seekable', version: 1, key: digestOf('of another process') };

/** `s3-uploader.ts` in a process of its own. */
export class S3Process {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor(work: 'stall' | 'slowly' | 'blob' | 'memory', options: S3Options) {
    const fromSource = ['--conditions=source', '--import', join(import.meta.dirname, '../../bench/from-source.mjs')];
    const program = [join(import.meta.dirname, 's3-uploader.ts'), work, JSON.stringify(options)];
    this.#child = spawn(process.execPath, [...fromSource, ...program], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
    this.#ended = once(this.#child, 'exit');
  }

  /** The next line it says. */
  async says(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error('the process ended without a word');
    return value;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async exitCode(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }
}
