import type { Redis, Result } from 'ioredis';
import type { AppliedNotice } from '#ports/graph-store';
import { GatheredReads } from './gathered-reads.js';
import type { GraphKeys } from './graph-keys.js';
import { redisError } from './redis-error.js';

/** A question to one partition, as the read script takes it: a word and its arguments. Keys are without their start. */
export type GraphQuestion =
  | readonly ['checkpoint']
  | readonly ['get' | 'hgetall' | 'list', string]
  | readonly ['hget', string, string | Buffer]
  /** Answered by its number, its row, and the list of its parents when they are many. */
  | readonly ['commit', string, Buffer]
  | readonly ['outcome', Buffer]
  /** The n-th newest move of a ref. */
  | readonly ['move', string, string, number]
  /** The last move of each ref, up to a version. */
  | readonly ['refsupto', string, number]
  /** Moves of a ref, or of all for '', newest first: below a version, at most so many. */
  | readonly ['moves', string, string, number, number];

/** Null is what is not there. */
export type GraphAnswer = Buffer | number | null | readonly GraphAnswer[];

/** Answers, and of what: no generation is live in a Redis that was emptied. */
export interface GraphAnswers {
  readonly generation: string | null;
  readonly offset: number;
  readonly answers: readonly GraphAnswer[];
}

/** The scripts, as ioredis defines them: by their hash, and in full where the server has forgotten it. */
export interface GraphClient extends Redis {
  varveReadBuffer(...args: (string | number | Buffer)[]): Result<GraphAnswer[], { type: 'default' }>;
  varveApply(...args: (string | number | Buffer)[]): Result<(string | number)[], { type: 'default' }>;
}

/** Asks one connection; what it is told comes in order, so an offset that goes back is a Redis that went back. */
export class GraphReads {
  readonly #client: GraphClient;
  readonly #keys: GraphKeys;
  readonly #place: string;
  readonly #gathered: GatheredReads;

  constructor(client: GraphClient, keys: GraphKeys, place: string) {
    this.#client = client;
    this.#keys = keys;
    this.#place = place;
    this.#gathered = new GatheredReads((partition, questions) => this.#ask(partition, questions, ''));
  }

  /** All answers are of one instant. Of the live generation, unless another one is named. @throws UNAVAILABLE, CORRUPT */
  ask(partition: number, questions: readonly GraphQuestion[], generation = ''): Promise<GraphAnswers> {
    return generation === '' ? this.#gathered.ask(partition, questions) : this.#ask(partition, questions, generation);
  }

  async #ask(partition: number, questions: readonly GraphQuestion[], generation: string): Promise<GraphAnswers> {
    const { prefix } = this.#keys;
    const tag = this.#keys.start('', partition).slice(prefix.length + 1);
    const words = questions.flat() as (string | number | Buffer)[];
    try {
      const live = this.#keys.live(partition);
      const [found, offset, ...answers] = await this.#client.varveReadBuffer(live, prefix, tag, generation, ...words);
      const known = found === null || found === undefined ? null : String(found);
      if (known === null) return { generation: null, offset: -1, answers: questions.map(() => null) };
      return { generation: known, offset: Number(String(offset)), answers };
    } catch (error) {
      throw redisError(error, this.#place);
    }
  }
}

/** What a batch was, as other processes are told. */
export type SentNotice = AppliedNotice & { readonly from: string };
