import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { assert } from '#core/error';

/** The project's one version: of the package.json above this file, in the sources as in the build. */
export function cliVersion(): string {
  const file = findPackageJSON(import.meta.url);
  assert(file !== undefined, 'the command lies in no package');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
