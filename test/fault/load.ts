import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommitId } from '#core/commit';
import type { RefValue } from '#core/ref';
import { commitFile, createRepository, until } from '../cluster/gateway-client.js';
import { randomOf } from '../journey/harness/random.js';
import { HistoryRecorder, type RefCall, type RefInvoke } from './history.js';
import { perform, type Told } from './ref-client.js';

export interface LoadOptions {
  /** Names the repositories, which nobody else has, and the history. */
  readonly name: string;
  readonly seed: number;
  readonly folder: string;
  readonly gateways: () => readonly string[];
  readonly clients?: number;
  readonly repos?: number;
  /** How long one operation is tried before its client gives up on it. */
  readonly patienceMs?: number;
  /** The graph may go back: for a while somebody is told that a commit or a ref is unknown, and asks again. */
  readonly goesBack?: boolean;
}

/** A ref as the clients know it: what somebody was told last, and up to where somebody has seen the log. */
interface Known {
  readonly repo: string;
  readonly ref: string;
  value: RefValue | 'absent';
}

const main = 'refs/heads/main';
const refs = [main, 'refs/heads/side', 'refs/tags/t'];

/**
 * Clients that read, move, make and delete the same few refs through all gateways at once, and commit to branches, each
 * write under its own idempotency key and with what it expects; what a seed decides is what they want, not who is first.
 * Everything goes into a history.
 */
export class Load {
  readonly repos: readonly string[];
  readonly history: string;
  readonly #options: Required<LoadOptions>;
  readonly #recorder: HistoryRecorder;
  readonly #known: Known[] = [];
  readonly #commits = new Map<string, CommitId[]>();
  /** By repository: what a read must show at least. */
  readonly #seen = new Map<string, { position: string; offset: number }>();
  readonly #told = new Map<string, RefInvoke & Told>();
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #stopped: Promise<unknown> | undefined;
  #answered = 0;

  private constructor(options: LoadOptions) {
    this.#options = { clients: 4, repos: 2, patienceMs: 20_000, goesBack: false, ...options };
    const { name, folder, repos } = this.#options;
    this.repos = Array.from({ length: repos }, (_, i) => `${name}/${i}`);
    mkdirSync(folder, { recursive: true });
    this.history = join(folder, `${name}.ndjson`);
    this.#recorder = new HistoryRecorder(this.history);
  }

  /** With a few commits in each repository to move refs between. */
  static async start(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    await Promise.all(load.repos.map((repo) => load.#prepare(repo)));
    const clients = Array.from({ length: load.#options.clients }, (_, i) => load.#work(i));
    load.#running = Promise.all(clients);
    // Told by `stop`, and by whoever waits for answers.
    load.#running.catch(() => load.#stopping.abort());
    return load;
  }

  /** How many operations were answered, one way or the other. */
  get answered(): number {
    return this.#answered;
  }

  /** What was asked and told, by name. */
  get told(): ReadonlyMap<string, RefInvoke & Told> {
    return this.#told;
  }

  /** Up to where somebody has seen the log of a repository. */
  positionOf(repo: string): string {
    return this.#seen.get(repo)?.position as string;
  }

  /** Until so many more are answered. @throws Error when that does not happen: a watchdog */
  async more(count: number, maxMs = 120_000): Promise<void> {
    const target = this.#answered + count;
    const enough = async () => this.#answered >= target || this.#stopping.signal.aborted;
    await until(`${count} more operations are answered`, enough, maxMs);
    if (this.#stopping.signal.aborted) await this.#running;
  }

  /** What is under way is ended or given up. @throws what an operation failed with that no fault explains */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#stopped ??= this.#running.finally(() => this.#recorder.close());
    await this.#stopped;
  }

  async #prepare(repo: string): Promise<void> {
    const [url = ''] = this.#options.gateways();
    await until(`${repo} is made`, async () => [200, 201].includes((await createRepository(url, repo)).status));
    const commits: CommitId[] = [];
    let value: RefValue = { commit: null, version: 0 };
    for (const name of ['first', 'second', 'third']) {
      await until(`${name} is written`, async () => {
        const { status, json, position } = await commitFile(url, repo, name);
        if (status !== 201) return false;
        value = json as unknown as RefValue;
        if (position !== null) this.#see(repo, position);
        return true;
      });
      commits.push(value.commit as CommitId);
    }
    this.#commits.set(repo, commits);
    const initial = { commit: value.commit, version: value.version };
    for (const ref of refs) this.#known.push({ repo, ref, value: ref === main ? initial : 'absent' });
    // So that the history begins with what is there.
    await this.#perform({ name: `${repo}:begin`, client: 'c', repo, ref: main, call: { type: 'read' } }, 0);
  }

  async #work(client: number): Promise<void> {
    const { seed, name } = this.#options;
    const random = randomOf(seed + 7_919 * client);
    for (let n = 0; !this.#stopping.signal.aborted; n += 1) {
      const known = this.#known[Math.floor(random() * this.#known.length)] as Known;
      const { repo, ref } = known;
      const call = this.#wish(known, random);
      await this.#perform({ name: `${name}-${client}-${n}`, client: `c${client}`, repo, ref, call }, client + n);
      await sleep(random() * 40);
    }
  }

  #wish({ repo, ref, value }: Known, random: () => number): RefCall {
    const commits = this.#commits.get(repo) as CommitId[];
    const what = random();
    const to = commits[Math.floor(random() * commits.length)] as CommitId;
    if (what < 0.3) return { type: 'read' };
    if (value === 'absent') return { type: 'create', to };
    if (what < 0.5 && ref.startsWith('refs/heads/')) return { type: 'commit', expect: value };
    if (what < 0.65 && ref !== main) return { type: 'swap', expect: value, to: null };
    // A move to where it is would write nothing.
    return {
      type: 'swap',
      expect: value,
      to: to === value.commit ? (commits.find((id) => id !== to) as CommitId) : to,
    };
  }

  async #perform(operation: RefInvoke, first: number): Promise<void> {
    const { gateways, patienceMs, goesBack } = this.#options;
    const minPosition = this.#seen.get(operation.repo)?.position ?? null;
    this.#recorder.invoke(operation);
    const told = await perform(operation, gateways, {
      minPosition,
      until: AbortSignal.timeout(patienceMs),
      first,
      goesBack,
    });
    this.#recorder.end(operation.name, told.end);
    this.#told.set(operation.name, { ...operation, ...told });
    this.#answered += 1;
    if (told.position !== null) this.#see(operation.repo, told.position);
    this.#learn(operation, told);
  }

  #learn({ repo, ref, call }: RefInvoke, { end }: Told): void {
    const known = this.#known.find((each) => each.repo === repo && each.ref === ref) as Known;
    if (end.type === 'absent') known.value = 'absent';
    if (end.type !== 'ok') return;
    const { value } = end;
    if (known.value === 'absent' || value.version > known.value.version) {
      known.value = value.commit === null ? 'absent' : value;
    }
    if (call.type === 'commit' && value.commit !== null) this.#commits.get(repo)?.push(value.commit);
  }

  #see(repo: string, position: string): void {
    const offset = Number(position.split('.').at(-1));
    if (offset > (this.#seen.get(repo)?.offset ?? -1)) this.#seen.set(repo, { position, offset });
  }
}
