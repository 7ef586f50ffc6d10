import { limit } from '#core/limit';
import { codeOf, productFiles } from './source-file.js';

const code = productFiles()
  .filter(({ path }) => path !== 'libs/core/src/limit.ts')
  .map(({ text }) => codeOf(text))
  .join('\n');

describe('limits', () => {
  it('are enforced: each one is read somewhere', () => {
    const unused = Object.keys(limit).filter((name) => !new RegExp(`\\blimit\\.${name}\\b`).test(code));

    expect(unused).toEqual([]);
  });

  it('say last what they are: the most there may be, bytes, milliseconds', () => {
    expect(Object.keys(limit).filter((name) => !/(?:Max|Lint|Ms|Bytes)$/.test(name))).toEqual([]);
  });
});
