import { hash } from 'node:crypto';
import { KeyFilter } from './key-filter.js';

const keys = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => hash('sha256', `${from + n}`, 'hex'));

describe('KeyFilter', () => {
  it('knows every key that was added, by its digits alone, also the short ones of a transaction', () => {
    const filter = new KeyFilter();
    const added = [...keys(0, 20_000), ...keys(20_000, 1_000).map((key) => key.slice(0, 32))];
    for (const key of added) filter.add(key);
    expect(added.filter((key) => !filter.mayHave(key))).toEqual([]);
    expect(filter.mayHave(`sha256:${keys(7, 1)[0]}`)).toBe(true);
  });

  it('takes hardly any other key for a known one', () => {
    const filter = new KeyFilter();
    for (const key of keys(0, 50_000)) filter.add(key);
    expect(keys(50_000, 50_000).filter((key) => filter.mayHave(key)).length).toBeLessThan(50);
    expect(new KeyFilter().mayHave('f'.repeat(64))).toBe(false);
  });
});
