/** SQLite's integers have 64 bits, and doubles bring 53 of them over as they are. */
const bits = 52;
const halfBits = bits / 2;

/**
 * Words as a few bits of one integer, two for each: whatever has a word has its bits. So that a scan over integers passes
 * over nearly all rows that have not the words of a question. @see Bloom, 1970
 */
export function signatureOf(words: readonly string[]): number {
  let [high, low] = [0, 0];
  for (const word of words) {
    const hash = hashOf(word);
    for (const bit of [hash % bits, (hash >>> 12) % bits]) {
      if (bit < halfBits) low |= 1 << bit;
      else high |= 1 << (bit - halfBits);
    }
  }
  return high * 2 ** halfBits + low;
}

/** FNV-1a, and one more round so that the last characters reach all bits. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i += 1) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
