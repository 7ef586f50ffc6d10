import { readFileSync } from 'node:fs';
import { loadConfig, settings } from '#wiring/config';

const page = readFileSync('docs/reference/config.md', 'utf8');

describe('docs/reference/config.md', () => {
  it('has the settings of the server, their defaults and meanings, as the program has them', () => {
    const rows = Object.entries(settings).map(
      ([name, { standard, meaning }]) => `| \`${name}\` | \`${standard}\` | ${meaning} |`,
    );

    expect(page.split('\n').filter((line) => line.startsWith('| `VARVE_'))).toEqual(rows);
  });

  it('names no variable that the server refuses to start with', () => {
    const named = new Set([...page.matchAll(/\bVARVE_[A-Z_]*[A-Z]\b/g)].map((match) => match[0]));

    expect([...named].filter((name) => !(name in settings)).filter(isRefused)).toEqual([]);
    expect(isRefused('VARVE_NOT_A_SETTING')).toBe(true);
  });
});

function isRefused(name: string): boolean {
  try {
    loadConfig({ [name]: 'x' });
    return false;
  } catch {
    return true;
  }
}
