import { readFileSync } from 'node:fs';
import { exitCode } from '#core/exit-code';

interface Row {
  readonly code: string;
  readonly cells: readonly string[];
}

const codes = errorCodes(readFileSync('libs/core/src/error.ts', 'utf8'));
const rows = tableRows(readFileSync('docs/reference/error.md', 'utf8'));

describe('docs/reference/error.md', () => {
  it('has one row for each code of the program, and no other', () => {
    expect(codes.length).toBeGreaterThan(40);
    expect(rows.map(({ code }) => code).toSorted()).toEqual(codes.toSorted());
  });

  it('says of each what it means, what causes it and what to do', () => {
    const silent = rows.filter(({ cells }) => !cells.slice(0, 3).every((cell) => /^[A-Z`].{9,}[^.\s]$/.test(cell)));

    expect(silent).toEqual([]);
  });

  it('gives the exit code that each ends a command with', () => {
    expect(Object.fromEntries(rows.map(({ code, cells }) => [code, Number(cells.at(-1))]))).toEqual(exitCode);
  });
});

/** The members of the union `ErrorCode`, as they are written: a type has nothing to ask when the program runs. */
function errorCodes(source: string): string[] {
  const union = /export type ErrorCode =([^;]*);/.exec(source)?.[1] ?? '';
  return [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1] as string);
}

function tableRows(markdown: string): Row[] {
  return [...markdown.matchAll(/^\| `([A-Z_]+)` \| (.*) \|$/gm)].map((match) => ({
    code: match[1] as string,
    cells: (match[2] as string).split(' | ').map((cell) => cell.trim()),
  }));
}
