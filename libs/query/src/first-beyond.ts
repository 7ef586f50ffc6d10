/**
 * The first of the numbers below `count` whose key is greater than `key`, or `count`; keys do not fall as numbers grow. It
 * looks where the key should stand if keys grew evenly, which they nearly do, and halves what is left where they do not:
 * a few looks mostly, and about as many as `count` has binary digits at worst, twice.
 */
export async function firstBeyond(count: number, key: number, keyOf: (n: number) => Promise<number>): Promise<number> {
  if (count === 0) return 0;
  const last = await keyOf(count - 1);
  if (last <= key) return count;
  let [low, lowKey, high, highKey] = [-1, 0, count - 1, last];
  for (let isGuess = true; high - low > 1;) {
    const width = high - low;
    const share = isGuess ? (key - lowKey) / Math.max(1, highKey - lowKey) : 0.5;
    const at = Math.min(high - 1, Math.max(low + 1, low + Math.floor(width * share)));
    const found = await keyOf(at);
    if (found <= key) [low, lowKey] = [at, found];
    else [high, highKey] = [at, found];
    isGuess = !isGuess || high - low < width / 2;
  }
  return high;
}
