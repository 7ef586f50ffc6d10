import { floodEntry } from '../fuzz/flood.js';
import { takeInChild } from '../fuzz/take-in-child.js';

/** Half a gigabyte of headers takes a while, so this runs with the long suites. */
it.each([
  ['a million entries are taken', 1_000_000, { entries: 1_000_000 }],
  [
    'a million and one are refused at the one',
    1_000_001,
    { code: 'LIMIT_EXCEEDED', detail: { rule: 'too-many-entries', entry: 1_000_000, offset: 512_000_000 } },
  ],
])(
  '%s, in 350 MiB',
  async (_title, count, wanted) => {
    const outcome = await takeInChild('layer', manyEntries(count));
    expect(outcome).toMatchObject(wanted);
    expect(outcome.peakBytes).toBeLessThan(350 * 2 ** 20);
  },
  300_000,
);

function* manyEntries(count: number): Generator<Buffer> {
  const perPiece = 2000;
  for (let from = 0; from < count; from += perPiece) {
    const length = Math.min(perPiece, count - from);
    yield Buffer.concat(Array.from({ length }, (_, i) => floodEntry(`d/${from + i}`)));
  }
  yield Buffer.alloc(1024);
}
