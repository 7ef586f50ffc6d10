import { globSync, readFileSync } from 'node:fs';

/** A file of the product: its path from the root of the project, with `/`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Every file that the globs match, by path; generated ones are not written here, so not judged here. */
export function sourceFiles(...globs: readonly string[]): readonly SourceFile[] {
  return globSync(globs)
    .filter((path) => !path.includes('/src/gen/'))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

/** What the product is made of: neither tests nor benchmarks. */
export function productFiles(): readonly SourceFile[] {
  return sourceFiles('{apps,libs}/**/*.ts').filter(({ path }) => !path.endsWith('.spec.ts'));
}

const importPattern =
  /(?:^|[\s;])(?:import|export)\s(?:[^'"`;]*?\sfrom\s*)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g;

/** What a TypeScript text imports, also for types only, also when the program runs: `import x from 'y'`, `import('y')`. */
export function importsOf(text: string): readonly string[] {
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '');
}

/** The text without comments and the insides of one-line strings: what the compiler would act on. */
export function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}
