import type { Redis, Result } from 'ioredis';
import { GatheredReads } from './gathered-reads.js';
import type { GraphKeys } from './graph-keys.js';
import type { GraphAnswer, GraphAnswers, GraphQuestion } from './graph-question.js';
import { redisError } from './redis-error.js';

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
