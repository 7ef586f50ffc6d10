import { codeOf, productFiles, type SourceFile } from './source-file.js';

/** The server's configuration is parsed once, in one place; the command has three variables of its own. */
const readers = ['libs/wiring/src/', 'apps/cli/src/'];

describe('the environment', () => {
  it('is read where configuration is parsed, and nowhere else', () => {
    expect(
      productFiles()
        .filter(readsEnvironment)
        .map(({ path }) => path),
    ).toEqual([]);
  });

  it('would be seen elsewhere', () => {
    const planted = { path: 'libs/query/src/log.ts', text: 'const page = Number(process.env.PAGE ?? 10);' };

    expect(readsEnvironment(planted)).toBe(true);
  });
});

function readsEnvironment({ path, text }: SourceFile): boolean {
  return (
    !readers.some((reader) => path.startsWith(reader)) &&
    /\bprocess\??\.env\b|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/.test(codeOf(text))
  );
}
