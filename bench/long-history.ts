import { encodeCommit, type EncodedCommit, newCommit } from '#core/commit';
import { digestOf, type DiffId } from '#core/digest';
import type { Event, LogRecord, NamedBlob } from '#core/event';
import { encodeEvent } from '#core/event-codec';
import { branchRef, parseRepositoryName, type RefName } from '#core/name';
import type { RefUpdate } from '#core/ref';

export const repo = parseRepositoryName('bench');
export const agents = 1_000;

const main = branchRef('main');
const commitsPerRecord = 200;
const recordsPerStep = 16;
/** The agents work in the newest part of the history. */
const agentsSpan = 20_000;
const commitsPerAgent = 3;
const mergeEvery = 10;

/**
 * A history of so many commits, made as it is read. One line on `main`; in its newest part agents fork from the line one
 * after the other, each commits in turns with the line, and every tenth is merged later on.
 */
export class LongHistory {
  readonly commits: number;
  #made = 0;
  #line: EncodedCommit | undefined;
  readonly #agents: EncodedCommit[] = [];

  constructor(commits: number) {
    this.commits = commits;
  }

  *records(): Generator<LogRecord[]> {
    let offset = 0;
    const record = (event: Event): LogRecord => {
      const bytes = encodeEvent(event, { source: 'varve/bench', time: 0, salt: Buffer.alloc(16) });
      return { offset: offset++, time: offset, bytes };
    };
    yield [record({ type: 'rules.activate.v1', txid: txid('rules'), rules: 1 }), record(this.#create())];
    let step: LogRecord[] = [];
    while (this.#made < this.commits) {
      step.push(record(this.#batch()));
      if (step.length === recordsPerStep) yield step;
      if (step.length === recordsPerStep) step = [];
    }
    yield [...step, ...this.#refs().map(record)];
  }

  #create(): Event {
    return { type: 'repo.create.v1', defaultBranch: main, ...this.#proposal([], []) };
  }

  #batch(): Event {
    const commits: EncodedCommit[] = [];
    const blobs: NamedBlob[] = [];
    while (commits.length < commitsPerRecord && this.#made < this.commits) {
      const blob = layerBlob(this.#made);
      blobs.push(blob);
      commits.push(this.#next(blob.digest as DiffId));
    }
    return { type: 'commit.batch.v1', ...this.#proposal(commits, blobs) };
  }

  #next(layer: DiffId): EncodedCommit {
    const n = this.#made++;
    const place = n - (this.commits - Math.min(agentsSpan, this.commits / 2));
    const span = Math.floor(Math.min(agentsSpan, this.commits / 2) / agents);
    const agent = Math.floor(place / span);
    // The first commits of an agent's turn are the agent's, the rest of it the line's.
    const isAgent = place >= 0 && agent < agents && place % span < commitsPerAgent;
    const own = isAgent ? (this.#agents[agent] ?? this.#line) : this.#line;
    const merged = place >= 0 && !isAgent && agent % mergeEvery === 0 && place % span === commitsPerAgent ? this.#agents[agent - mergeEvery] : undefined; // prettier-ignore
    const parents = [own, merged].flatMap((parent) => (parent ? [parent.id] : []));
    const commit = encodeCommit(newCommit({ parents, layers: [layer], message: `step ${n}` }));
    if (isAgent) this.#agents[agent] = commit;
    else this.#line = commit;
    return commit;
  }

  #refs(): Event[] {
    const updates = this.#agents.map((commit, n) => creation(branchRef(`agent/${n}`), commit));
    const line = this.#line ? [creation(main, this.#line)] : [];
    return [...line, ...updates].map((each): Event => {
      return { type: 'ref.update.v1', ...this.#proposal([], [], [each]) };
    });
  }

  #proposals = 0;

  #proposal(commits: readonly EncodedCommit[], blobs: readonly NamedBlob[], updates: readonly RefUpdate[] = []) {
    return {
      txid: txid(String(this.#proposals++)),
      repo,
      actor: { name: 'bench', verified: false },
      request: null,
      gcEpoch: 0,
      operation: 'load',
      reason: 'bench',
      commits: commits.map(({ bytes }) => bytes),
      blobs,
      updates,
    } as const;
  }
}

function creation(ref: RefName, to: EncodedCommit): RefUpdate {
  return { ref, expect: { commit: null, version: 0 }, to: to.id, mode: 'ff' };
}

function layerBlob(n: number): NamedBlob {
  const digest = digestOf(`layer ${n}`) as DiffId;
  const incarnation = digestOf(`copy ${n}`).slice('sha256:'.length, 'sha256:'.length + 32);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  return { digest, size: 1024, incarnation, mediaType, layer: { diffId: digest, tarBytes: 1024 } };
}

function txid(name: string): string {
  return digestOf(`tx ${name}`).slice('sha256:'.length, 'sha256:'.length + 32);
}
