import { VarveError } from '#core/error';
import type { Event } from '#core/event';
import { newPartition } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { emptyStateDigest } from '#core/state-digest';
import type { Checkpoint, StoredFacts } from '#ports/graph-store';
import { type CommitChunks, type ReadChunks, seqsWithMoreParents, type StoredChunk } from './commit-chunks.js';
import { factsNamedBy, questionsFor } from './find-facts.js';
import type { GraphAnswer, GraphAnswers, GraphQuestion } from './graph-question.js';
import { readPartition } from './graph-row-codec.js';
import { type FactSource, type FoundFacts, KnownFacts, type NamedFacts, type SeqOf } from './known-facts.js';

/** Asks one partition of one generation. */
export type Ask = (partition: number, questions: readonly GraphQuestion[]) => Promise<GraphAnswers>;

/** A checkpoint as the script gives it: offset, record, state, partition. */
export function checkpointOf([answer]: readonly GraphAnswer[]): Checkpoint {
  const [offset, record, state, partition] = (answer ?? []) as readonly (Buffer | null)[];
  if (!offset || !record || !state) {
    return { offset: -1, recordDigest: '', stateDigest: emptyStateDigest, partition: newPartition };
  }
  return {
    offset: Number(String(offset)),
    recordDigest: String(record),
    stateDigest: String(state),
    partition: partition ? readPartition(String(partition)) : newPartition,
  };
}

/** How chunks of commits are read. */
export function chunkReader(ask: Ask, partitionCount: number): ReadChunks {
  return async (repo, chunks) => {
    const partition = partitionOf(repo, partitionCount);
    const { answers, generation } = await ask(
      partition,
      chunks.map((chunk) => ['get', `c:${chunk}:${repo}`]),
    );
    const found = answers.map((rows, i) => ({ rows: rows as Buffer | null, seqs: seqsOf(rows, chunks[i] as number) }));
    const seqs = found.flatMap((chunk) => chunk.seqs);
    if (seqs.length === 0) return found.map(({ rows }) => (rows ? { rows, more: new Map() } : undefined));
    const parents = await ask(
      partition,
      seqs.map((seq) => ['hget', `m:${repo}`, String(seq)]),
    );
    // Another generation went live in between: read again, from that one.
    if (parents.generation !== generation) return chunkReader(ask, partitionCount)(repo, chunks);
    const more = new Map(seqs.map((seq, i) => [seq, parents.answers[i] as Buffer]));
    return found.map(({ rows }): StoredChunk | undefined => (rows ? { rows, more } : undefined));
  };
}

function seqsOf(rows: GraphAnswer, chunk: number): number[] {
  return rows ? seqsWithMoreParents(rows as Buffer, chunk) : [];
}

/** Facts of the live graph, read for the events at hand; the rest when the fold has asked for it. @throws UNAVAILABLE */
export async function liveFacts(
  ask: Ask,
  chunks: CommitChunks,
  partition: number,
  events: readonly Event[],
): Promise<StoredFacts> {
  const names = factsNamedBy(events);
  const { questions, read } = questionsFor(names);
  const { answers, offset, generation } = await ask(partition, [['checkpoint'], ...questions]);
  const at = { offset, partition: checkpointOf(answers).partition };
  const source = new LiveSource(ask, chunks, partition, generation);
  return new KnownFacts(at, source).begin(names, read(answers.slice(1)));
}

class LiveSource implements FactSource {
  readonly #ask: Ask;
  readonly #chunks: CommitChunks;
  readonly #partition: number;
  readonly #generation: string | null;

  constructor(ask: Ask, chunks: CommitChunks, partition: number, generation: string | null) {
    this.#ask = ask;
    this.#chunks = chunks;
    this.#partition = partition;
    this.#generation = generation;
  }

  async find(offset: number, names: NamedFacts, seqs: readonly SeqOf[]): Promise<FoundFacts | undefined> {
    const missing = await loadJumps(this.#chunks, seqs);
    const { questions, read } = questionsFor(names);
    const found = await this.#ask(this.#partition, questions);
    if (found.offset !== offset || found.generation !== this.#generation) return undefined;
    if (missing) throw lostCommit(missing);
    return read(found.answers);
  }

  commitNow(repo: RepositoryName, seq: number) {
    return this.#chunks.now(repo, seq);
  }

  isNew(): boolean {
    return false;
  }
}

/**
 * Brings commits to hand; who looks at one goes on to its jump, and to the jump of that. Answers one that is not there.
 */
export async function loadJumps(chunks: CommitChunks, seqs: readonly SeqOf[]): Promise<SeqOf | undefined> {
  for (const { repo, seq } of seqs) {
    let next = seq;
    for (;;) {
      const row = await chunks.at(repo, next);
      if (!row) return { repo, seq: next };
      if (row.jump === row.seq) break;
      next = row.jump;
    }
  }
  return undefined;
}

export function lostCommit({ repo, seq }: SeqOf): VarveError {
  const message = `the graph of ${repo} in Redis has lost commit number ${seq}; make it again from the log with a rebuild`;
  return new VarveError('CORRUPT', message, { repository: repo, seq });
}
