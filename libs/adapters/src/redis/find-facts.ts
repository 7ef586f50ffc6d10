import { type CommitId, decodeCommit } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import { isVarveError } from '#core/error';
import type { Event, Proposal } from '#core/event';
import type { BlobRow, CommitRow, LayerRow, OutcomeRow, RepositoryRow } from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { readCommitRow } from './commit-row-codec.js';
import type { GraphAnswer, GraphQuestion } from './graph-question.js';
import { hashBucketOf } from './graph-keys.js';
import { readCopies, readLayer, readOutcome, readRef, readRepository } from './graph-row-codec.js';
import { type FoundFacts, type NamedFacts, nameIn } from './known-facts.js';

const hexOfDigest = 'sha256:'.length;

/** What the fold will ask of the graph to judge these events, as far as they name it themselves. */
export function factsNamedBy(events: readonly Event[]): NamedFacts {
  const names = new Names();
  for (const event of events) names.add(event);
  return names;
}

class Names implements NamedFacts {
  readonly repositories: RepositoryName[] = [];
  readonly refs: { repo: RepositoryName; ref: RefName }[] = [];
  readonly commits: { repo: RepositoryName; id: CommitId }[] = [];
  readonly outcomes: string[] = [];
  readonly layers: DiffId[] = [];
  readonly blobs: Digest[] = [];

  add(event: Event): void {
    this.outcomes.push(event.txid);
    if ('repo' in event) this.repositories.push(event.repo);
    if (event.type === 'tx.cancel.v1') this.outcomes.push(event.target);
    if ('commits' in event) this.#addProposal(event);
    else if ('blobs' in event) for (const { digest } of event.blobs) this.blobs.push(digest);
  }

  #addProposal({ repo, blobs, commits, updates }: Proposal): void {
    for (const { digest, layer } of blobs) {
      this.blobs.push(digest);
      if (layer) this.layers.push(layer.diffId);
    }
    for (const bytes of commits) this.#addCommit(repo, bytes);
    for (const { ref, to, expect } of updates) {
      this.refs.push({ repo, ref });
      for (const id of [to, expect.commit]) if (id) this.commits.push({ repo, id });
    }
  }

  #addCommit(repo: RepositoryName, bytes: Uint8Array): void {
    try {
      const { id, commit } = decodeCommit(bytes);
      for (const each of [id, ...commit.parents]) this.commits.push({ repo, id: each });
      this.layers.push(...commit.layers);
      if (commit.config) this.blobs.push(commit.config);
      if (commit.manifest) this.blobs.push(commit.manifest.digest);
    } catch (error) {
      // The fold refuses it without asking anything.
      if (!isVarveError(error)) throw error;
    }
  }
}

/** The questions that find named facts, and how their answers are read, in the same order. */
export function questionsFor(names: NamedFacts): {
  readonly questions: readonly GraphQuestion[];
  readonly read: (answers: readonly GraphAnswer[]) => FoundFacts;
} {
  const questions: GraphQuestion[] = [];
  const readers: ((answer: Buffer) => void)[] = [];
  const ask = (question: GraphQuestion, read: (answer: Buffer) => void) => {
    questions.push(question);
    readers.push(read);
  };
  const found = {
    repositories: new Map<RepositoryName, RepositoryRow>(),
    refs: new Map<string, RefValue>(),
    commits: new Map<string, CommitRow>(),
    outcomes: new Map<string, OutcomeRow>(),
    layers: new Map<DiffId, LayerRow>(),
    blobs: new Map<Digest, readonly BlobRow[]>(),
  };
  for (const repo of names.repositories) {
    ask(['hget', 'repos', repo], (value) => found.repositories.set(repo, readRepository(repo, value)));
  }
  for (const { repo, ref } of names.refs) {
    ask(['hget', `refs:${repo}`, ref], (value) => found.refs.set(nameIn(repo, ref), readRef(value)));
  }
  for (const { repo, id } of names.commits) {
    ask(['commit', repo, Buffer.from(id, 'hex')], (answer) =>
      found.commits.set(nameIn(repo, id), commitOf(repo, answer)),
    );
  }
  for (const txid of names.outcomes) {
    ask(['outcome', Buffer.from(txid, 'hex')], (value) => found.outcomes.set(txid, readOutcome(value)));
  }
  for (const diffId of names.layers) {
    ask(layerQuestion(diffId), (value) => found.layers.set(diffId, readLayer(diffId, value)));
  }
  for (const digest of names.blobs) {
    ask(blobQuestion(digest), (value) => found.blobs.set(digest, readCopies(digest, value)));
  }
  return {
    questions,
    read(answers) {
      answers.forEach((answer, i) => {
        if (answer !== null) readers[i]?.(answer as Buffer);
      });
      return found;
    },
  };
}

/** Of an answer to `commit`: seq, row, and the list of its parents when they are many. */
export function commitOf(repo: RepositoryName, answer: GraphAnswer): CommitRow {
  const [seq, row, more] = answer as unknown as readonly [number, Buffer, Buffer];
  return readCommitRow(row, 0, { repo, seq, more: more.length > 0 ? more : undefined });
}

export function layerQuestion(diffId: DiffId): GraphQuestion {
  const hex = diffId.slice(hexOfDigest);
  return ['hget', `l:${hashBucketOf(hex)}`, Buffer.from(hex, 'hex')];
}

export function blobQuestion(digest: Digest): GraphQuestion {
  const hex = digest.slice(hexOfDigest);
  return ['hget', `d:${hashBucketOf(hex)}`, Buffer.from(hex, 'hex')];
}
