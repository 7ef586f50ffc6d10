const bits = 2 ** 27;
const probes = 3;

/**
 * Remembers which keys were ever added, in 16 MiB, whatever their number: says "certainly not" or "perhaps". Keys are
 * hex that is random by nature (digests, transaction ids), so their own digits are the hashes. Up to ten million keys,
 * fewer than one in a hundred that was not added passes.
 */
export class KeyFilter {
  readonly #words = new Int32Array(bits / 32);

  add(hex: string): void {
    const step = stepOf(hex);
    for (let i = 0, at = startOf(hex); i < probes; i += 1, at += step) {
      const bit = at % bits;
      (this.#words[bit >>> 5] as number) |= 1 << (bit & 31);
    }
  }

  mayHave(hex: string): boolean {
    const step = stepOf(hex);
    for (let i = 0, at = startOf(hex); i < probes; i += 1, at += step) {
      const bit = at % bits;
      if (((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

/** From the end, so that a prefix such as `sha256:` does not matter. */
function startOf(hex: string): number {
  return lastDigits(hex, hex.length);
}

/** Odd, so that all probes of a key differ. */
function stepOf(hex: string): number {
  return lastDigits(hex, hex.length - 7) | 1;
}

/** The number that the seven digits before `end` make. Cheaper than to cut them out and parse them. */
function lastDigits(hex: string, end: number): number {
  let number = 0;
  for (let at = end - 7; at < end; at += 1) {
    const code = hex.charCodeAt(at);
    number = (number << 4) | (code < 58 ? code - 48 : code - 87);
  }
  return number;
}
