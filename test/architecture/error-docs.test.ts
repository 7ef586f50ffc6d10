import { readFileSync } from 'node:fs';
import type { ErrorCode } from '#core/error';
import { renderingOf } from '#edge/error-rendering';

interface Row {
  readonly code: string;
  readonly cells: readonly string[];
}

/** Before there is a server to answer. */
const atStart: ReadonlySet<string> = new Set(['CONFIG_INVALID', 'DATA_IN_USE', 'PORT_IN_USE']);

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

  it('gives the numbers that the program answers and ends with', () => {
    const wrong = rows.filter(({ code, cells }) => {
      const { http, exit } = renderingOf(code as ErrorCode);
      return Number(cells.at(-1)) !== exit || cells.at(-2) !== (atStart.has(code) ? '–' : String(http));
    });

    expect(wrong).toEqual([]);
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
