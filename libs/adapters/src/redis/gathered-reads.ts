import { isVarveError } from '#core/error';
import type { GraphAnswers, GraphQuestion } from './graph-question.js';

type AskOnce = (partition: number, questions: readonly GraphQuestion[]) => Promise<GraphAnswers>;

interface Asked {
  readonly questions: readonly GraphQuestion[];
  readonly answered: PromiseWithResolvers<GraphAnswers>;
}

/** As many callers as go together: a script of so many questions still ends well within a millisecond or two. */
const callersMax = 64;

/**
 * Asks of one partition that the same turn of the event loop brought go to the server as one: with many requests at work
 * that is most of them, and a round trip costs both sides more than its answer does.
 */
export class GatheredReads {
  readonly #ask: AskOnce;
  readonly #waiting = new Map<number, Asked[]>();

  constructor(ask: AskOnce) {
    this.#ask = ask;
  }

  /** @throws what `ask` throws */
  ask(partition: number, questions: readonly GraphQuestion[]): Promise<GraphAnswers> {
    const answered = Promise.withResolvers<GraphAnswers>();
    const waiting = this.#waiting.get(partition);
    if (waiting) waiting.push({ questions, answered });
    else {
      this.#waiting.set(partition, [{ questions, answered }]);
      setImmediate(() => this.#send(partition));
    }
    return answered.promise;
  }

  #send(partition: number): void {
    const waiting = this.#waiting.get(partition) ?? [];
    this.#waiting.delete(partition);
    for (let first = 0; first < waiting.length; first += callersMax) {
      void this.#answer(partition, waiting.slice(first, first + callersMax));
    }
  }

  async #answer(partition: number, together: readonly Asked[]): Promise<void> {
    try {
      const { generation, offset, answers } = await this.#ask(
        partition,
        together.flatMap(({ questions }) => questions),
      );
      let at = 0;
      for (const { questions, answered } of together) {
        answered.resolve({ generation, offset, answers: answers.slice(at, (at += questions.length)) });
      }
    } catch (error) {
      // A row that is lost is the trouble of those who asked for it, not of those who asked beside them.
      if (together.length > 1 && isVarveError(error, 'CORRUPT')) {
        for (const one of together) void this.#answer(partition, [one]);
      } else for (const { answered } of together) answered.reject(error);
    }
  }
}
