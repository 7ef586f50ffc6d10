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
      .filter((path) => wordsOfPath(path).some((word) => refusedWords.has(word) && !isOfProtocol(path, word)));

    expect(refusedWords.size).toBeGreaterThan(5);
    expect(vague).toEqual([]);
  });

  it('are words of the glossary: nothing exported is one of the things that say nothing', () => {
    const vague = files.flatMap(({ path, text }) =>
      exportedNames(text)
        .filter((name) => refusedWords.has(nounOf(name)) && !isOfProtocol(path, nounOf(name)))
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
          !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*$/.test(name) ||
          refusedNames.includes(name.split('.')[0] as string)
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

/** What gRPC calls a service is one. */
function isOfProtocol(path: string, word: string): boolean {
  return word === 'service' && path.startsWith('libs/edge/src/grpc/');
}

function wordsOfPath(path: string): string[] {
  return path.replace(/\.ts$/, '').split(/[/.-]/);
}

/** The last word: `TarItem` is an item, `dataBlock` is a block. */
function nounOf(name: string): string {
  return (/[A-Z]?[a-z0-9]+$/.exec(name)?.[0] ?? name).toLowerCase();
}

function exportedNames(text: string): string[] {
  const declared = /^export (?:declare |abstract |async )*(?:function\*?|class|interface|type|const|enum) (\w+)/gm;
  return [...codeOf(text).matchAll(declared)].map((match) => match[1] as string);
}
