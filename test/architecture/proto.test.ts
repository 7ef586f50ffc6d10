import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const buf = 'node_modules/.bin/buf';
const committed = 'libs/proto/src/gen';

describe('the proto files', () => {
  it('have no fault that buf finds, and its format', () => {
    expect(execFileSync(buf, ['lint']).toString()).toBe('');
    expect(execFileSync(buf, ['format', '--diff', 'proto']).toString()).toBe('');
  });

  it('are what the committed code is made of: npm run proto changes nothing', () => {
    const made = mkdtempSync(join(tmpdir(), 'varve-proto-'));
    try {
      execFileSync(process.execPath, ['scripts/proto/generate.mjs', made]);
      expect(textsIn(made)).toEqual(textsIn(committed));
    } finally {
      rmSync(made, { recursive: true });
    }
  });
});

function textsIn(folder: string): Readonly<Record<string, string>> {
  const files = globSync('**/*.ts', { cwd: folder }).toSorted();
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}
