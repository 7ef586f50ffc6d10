import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sourceFiles } from './source-file.js';

describe('links in the documentation', () => {
  it('lead to files that are there, and to headings that they have', () => {
    const pages = sourceFiles('*.md', 'docs/**/*.md');
    const broken = pages.flatMap(({ path, text }) =>
      linksOf(text)
        .filter((target) => !leadsSomewhere(path, text, target))
        .map((target) => `${path} -> ${target}`),
    );

    expect(pages.length).toBeGreaterThan(5);
    expect(broken).toEqual([]);
  });
});

/** Targets of `[text](target)` that are not addresses on the web, outside of code. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replace(/```[\s\S]*?```|`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] as string)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(path: string, text: string, target: string): boolean {
  const [file, heading] = target.split('#') as [string, string?];
  const linked = file === '' ? path : join(dirname(path), file);
  if (!existsSync(linked)) return false;
  if (heading === undefined) return true;
  return anchorsOf(file === '' ? text : (sourceFiles(linked)[0]?.text ?? '')).has(heading);
}

/** The anchors that a forge makes of headings: lower case, words joined by hyphens, punctuation dropped. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = [...markdown.matchAll(/^#+ (.*)$/gm)].map((match) => match[1] as string);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}
