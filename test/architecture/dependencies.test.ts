import { readFileSync } from 'node:fs';
import { importsOf, productFiles, type SourceFile } from './source-file.js';

interface Allowed {
  readonly libs: readonly string[];
  readonly packages: readonly string[];
  readonly node: 'any' | readonly string[];
}
interface LayerRule {
  readonly libs: Readonly<Record<string, Allowed>>;
  readonly technologies: Readonly<Record<string, string>>;
}

const rule = JSON.parse(readFileSync('test/architecture/layer-rule.json', 'utf8')) as LayerRule;

describe('the direction of imports', () => {
  it('is what the table of layers allows, in every file', () => {
    const violations = productFiles().flatMap(violationsOf);

    expect(violations).toEqual([]);
  });

  it.each([
    ['core knows no framework', 'libs/core/src/oops.ts', "import { Module } from '@nestjs/common';"],
    ['core knows no port', 'libs/core/src/oops.ts', "import type { Clock } from '#ports/clock';"],
    ['core reads no file', 'libs/core/src/oops.ts', "import { readFile } from 'node:fs/promises';"],
    ['ports know nothing of node', 'libs/ports/src/oops.ts', "import type { Readable } from 'node:stream';"],
    ['a stage never imports a stage', 'libs/query/src/oops.ts', "import { Submitter } from '#history/submitter';"],
    ['a stage knows no adapter', 'libs/history/src/oops.ts', "export * from '#adapters/memory/memory-event-log';"],
    ['one technology stays in one folder', 'libs/query/src/oops.ts', "import { DatabaseSync } from 'node:sqlite';"],
    ['a detour over folders is seen', 'libs/tar/src/oops.ts', "import { x } from '../../edge/src/rest/x.js';"],
    ['apps never import apps', 'apps/cli/src/oops.ts', "const m = await import('../../standalone/src/main.js');"],
    ['the command knows no stage', 'apps/cli/src/oops.ts', "import { log } from '#query/log';"],
    ['a new package is a decision', 'libs/tar/src/oops.ts', "import tar from 'tar-stream';"],
  ])('would say so if it were not: %s', (_, path, text) => {
    expect(violationsOf({ path, text })).toHaveLength(1);
  });
});

function violationsOf({ path, text }: SourceFile): string[] {
  const folder = path.split('/').slice(0, 2).join('/');
  const allowed = rule.libs[folder];
  if (!allowed) return [`${path} is in a folder the table does not name`];
  return importsOf(text)
    .filter((specifier) => !isAllowed(specifier, path, folder, allowed))
    .map((specifier) => `${path} -> ${specifier}`);
}

function isAllowed(specifier: string, path: string, folder: string, allowed: Allowed): boolean {
  if (specifier.startsWith('.')) return isInside(folder, path, specifier);
  if (specifier.startsWith('#')) {
    const library = specifier.slice(1).split('/')[0] as string;
    return folder === `libs/${library}` || allowed.libs.includes(library);
  }
  const home = rule.technologies[specifier];
  if (home !== undefined) return path.startsWith(`${home}/`);
  if (specifier.startsWith('node:')) {
    return allowed.node === 'any' || allowed.node.includes(specifier.slice('node:'.length));
  }
  return allowed.packages.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

function isInside(folder: string, path: string, specifier: string): boolean {
  return new URL(specifier, `file:///${path}`).pathname.startsWith(`/${folder}/`);
}
