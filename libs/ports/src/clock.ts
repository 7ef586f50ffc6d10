/** Milliseconds since 1970, and nothing else. */
export interface Clock {
  now(): number;
}
