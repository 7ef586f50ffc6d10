import { hostname, userInfo } from 'node:os';
import { VarveClient } from '#client/client';
import { VarveError } from '#core/error';
import { Output } from './output.js';
import { type Progress, startProgress } from './progress.js';

/** The options that every command takes, as commander gives them. */
export interface GlobalOptions {
  readonly server?: string;
  readonly repo?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly at?: string;
}

/** What a running command has: the server it asks, the repository it means, and where its answer goes. */
export class Session {
  readonly client: VarveClient;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** The time or position that questions are about; undefined for now. */
  readonly at: string | undefined;
  readonly #repo: string | undefined;

  constructor(options: GlobalOptions, signal: AbortSignal) {
    this.client = new VarveClient({
      server: options.server ?? process.env['VARVE_SERVER'] ?? 'http://127.0.0.1:7373',
      actor: process.env['VARVE_ACTOR'] ?? userAtHost(),
      signal,
      at: options.at,
    });
    this.output = new Output({
      json: options.json ?? false,
      quiet: options.quiet ?? false,
      stdout: process.stdout,
      stderr: process.stderr,
      env: process.env,
    });
    this.signal = signal;
    this.at = options.at;
    this.#repo = options.repo ?? process.env['VARVE_REPO'];
  }

  /**
   * `--repo`, or VARVE_REPO, or the only repository there is, or was at the moment asked about.
   * @throws REQUEST_INVALID with the list of repositories, TIME_UNKNOWN when there was none then
   */
  async repository(): Promise<string> {
    if (this.#repo !== undefined && this.#repo !== '') return this.#repo;
    const names = (await this.client.repositories()).map(({ repo }) => repo);
    if (names.length === 1) return names[0] as string;
    if (names.length === 0 && this.at !== undefined)
      throw new VarveError('TIME_UNKNOWN', `there was no repository at ${this.at}`, { at: this.at });
    throw new VarveError(
      'REQUEST_INVALID',
      names.length === 0
        ? 'there is no repository yet: make one with varve load IMAGE.tar or varve init NAME'
        : `there are ${names.length} repositories: say which one with --repo or VARVE_REPO`,
      { repositories: names },
    );
  }

  /** The repository that was named, if one was. */
  get namedRepository(): string | null {
    return this.#repo === undefined || this.#repo === '' ? null : this.#repo;
  }

  progress(label: string, totalBytes: number | null): Promise<Progress> {
    return startProgress(label, totalBytes, { isShown: !this.output.json && !this.output.quiet });
  }

  close(): void {
    this.client.close();
  }
}

function userAtHost(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A container's user may have no name.
    return `${process.geteuid?.() ?? 'unknown'}@${hostname()}`;
  }
}
