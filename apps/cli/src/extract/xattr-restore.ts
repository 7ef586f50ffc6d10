import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExtractionReport } from './extraction-report.js';

/**
 * Extended attributes, set by one `setfattr --restore` that runs beside the extraction: Node cannot set them, and a
 * process for each file would cost more than the file. Needs nothing when the tree has none.
 */
export class XattrRestore {
  readonly #root: string;
  readonly #report: ExtractionReport;
  #child: ChildProcessWithoutNullStreams | undefined;
  #isMissing = false;
  #given = 0;
  #refused = 0;

  constructor(root: string, report: ExtractionReport) {
    this.#root = root;
    this.#report = report;
  }

  async add(name: string, xattrs: ReadonlyMap<string, Buffer>): Promise<void> {
    if (xattrs.size === 0) return;
    this.#given += xattrs.size;
    if (this.#isMissing) return;
    this.#child ??= this.#start();
    const lines = [...xattrs].map(([key, value]) => `${quoted(key)}=0s${value.toString('base64')}\n`);
    const block = `# file: ${quoted(`./${name}`)}\n${lines.join('')}\n`;
    if (!this.#child.stdin.write(block))
      await Promise.race([once(this.#child.stdin, 'drain'), once(this.#child, 'close')]);
  }

  /** Waits until all are set, and counts those that were refused. */
  async finish(): Promise<void> {
    const child = this.#child;
    if (child && !this.#isMissing) {
      child.stdin.end();
      await once(child, 'close').catch(() => undefined);
    }
    this.#report.xattrsNotSet += this.#isMissing ? this.#given : this.#refused;
  }

  abandon(): void {
    this.#child?.kill();
  }

  #start(): ChildProcessWithoutNullStreams {
    // -h: an attribute of a symlink belongs to the link and is never set through it.
    const child = spawn('setfattr', ['-h', '--restore=-'], { cwd: this.#root, env: { ...process.env, LC_ALL: 'C' } });
    child.on('error', () => (this.#isMissing = true));
    child.stdin.on('error', () => undefined);
    child.stdout.resume();
    // One line for each attribute that could not be set; it goes on with the next.
    child.stderr.on('data', (text: Buffer) => (this.#refused += text.filter((byte) => byte === 0x0a).length));
    return child;
  }
}

/** Every byte that setfattr could read as something else, as an octal escape. The text is latin1: bytes as they are. */
function quoted(text: string): string {
  return text.replace(/[^A-Za-z0-9._/-]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
