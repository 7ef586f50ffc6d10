import { Random } from '../../../test/oracle/random.js';
import { firstBeyond } from './first-beyond.js';

const shapes: readonly (readonly [string, (random: Random, n: number) => number])[] = [
  ['evenly', (_, n) => 3 * n + 1],
  ['slowly and then fast', (_, n) => n ** 3],
  ['not at all for long', (_, n) => Math.floor(n / 100) * 1_000],
  ['as they like', (random, n) => 10 * n + random.below(10)],
];

it.each(shapes)('finds the first key that is greater, where keys grow %s', async (_how, keyAt) => {
  const random = new Random(11);
  for (const count of [0, 1, 2, 3, 50, 1_000]) {
    const keys = Array.from({ length: count }, (_, n) => keyAt(random, n)).toSorted((a, b) => a - b);
    const top = (keys.at(-1) ?? 0) + 2;
    for (let round = 0; round < 60; round += 1) {
      const key = round === 0 ? -1 : random.below(top + 1);
      let looks = 0;
      const found = await firstBeyond(count, key, async (n) => (looks++, keys[n] as number));
      expect(found).toBe(keys.filter((each) => each <= key).length);
      expect(looks).toBeLessThanOrEqual(2 * Math.log2(count + 1) + 3);
    }
  }
});

it('takes a few looks where keys grow evenly', async () => {
  let looks = 0;
  expect(await firstBeyond(1_000_000, 777_777, async (n) => (looks++, n))).toBe(777_778);
  expect(looks).toBeLessThanOrEqual(5);
});
