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
  | readonly ['moves', string, string, number, number]
  /** Members of the set of the retired and all copies of their digests: from a bound of ZRANGEBYLEX, at most so many. */
  | readonly ['retired', Buffer | '-', number];

/** Null is what is not there. */
export type GraphAnswer = Buffer | number | null | readonly GraphAnswer[];

/** Answers, and of what: no generation is live in a Redis that was emptied. */
export interface GraphAnswers {
  readonly generation: string | null;
  readonly offset: number;
  readonly answers: readonly GraphAnswer[];
}
