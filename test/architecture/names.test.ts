import { basename } from 'node:path';
import { readFileSync } from 'node:fs';
import { codeOf, sourceFiles } from './source-file.js';

const files = sourceFiles('{apps,libs,test,bench}/**/*.ts');
const refusedNames = ['index', 'types', 'constants'];

/** The list stands in the glossary, where people look for the word to use instead. */
const refusedWords = wordsNotUsed(readFileSync('docs/glossary.md', 'utf8'));

describe('names', () => {
  it('are words of the glossary: no file or folder has a word that says nothing', () => {
    const vague = files
      .map(({ path }) => path)
      .filter((path) => wordsOfPath(path).some((word) => refusedWords.has(word)));

    expect(refusedWords.size).toBeGreaterThan(5);
    expect(vague).toEqual([]);
  });

  it('are words of the glossary: nothing exported has a word that says nothing', () => {
    const vague = files.flatMap(({ path, text }) =>
      exportedNames(text)
        .filter((name) => wordsOfIdentifier(name).some((word) => refusedWords.has(word)))
        .map((name) => `${path}: ${name}`),
    );

    expect(vague).toEqual([]);
  });

  it('of files are kebab-case, and none is an index, a drawer of types or of constants', () => {
    const wrong = files
      .map(({ path }) => path)
      .filter((path) => {
        const name = basename(path, '.ts');
        return (
          !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*$/.test(name) || refusedNames.includes(name.split('.')[0] as string)
        );
      });

    expect(wrong).toEqual([]);
  });

  it('are given where things are exported: there is no default export', () => {
    expect(files.filter(({ text }) => /^export default\b/m.test(codeOf(text))).map(({ path }) => path)).toEqual([]);
  });
});

function wordsNotUsed(glossary: string): ReadonlySet<string> {
  const line = /^Words we do not use in names: (.*?)\./m.exec(glossary)?.[1] ?? '';
  return new Set([...line.matchAll(/`([a-z]+)`/g)].flatMap((match) => [match[1] as string, `${match[1] as string}s`]));
}

function wordsOfPath(path: string): string[] {
  return path.replace(/\.ts$/, '').split(/[/.-]/);
}

function wordsOfIdentifier(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(' ');
}

function exportedNames(text: string): string[] {
  const declared = /^export (?:declare |abstract |async )*(?:function\*?|class|interface|type|const|enum) (\w+)/gm;
  return [...codeOf(text).matchAll(declared)].map((match) => match[1] as string);
}
