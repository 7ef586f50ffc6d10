import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOrMakeKey } from './audit-key.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'varve-key-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('the audit key', () => {
  it('is made once, for its owner alone', async () => {
    const path = join(folder, 'new', 'audit.key');
    const first = await readOrMakeKey(path, 'varve.dev/log/l1');

    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await readOrMakeKey(path, 'varve.dev/log/other')).verifier.text).toBe(first.verifier.text);
    expect(first.name).toBe('varve.dev/log/l1');
  });

  it('is refused, and not replaced, when the file is something else', async () => {
    const path = join(folder, 'audit.key');
    writeFileSync(path, 'a secret of somebody else');

    await expect(readOrMakeKey(path, 'varve.dev/log/l1')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.not.stringContaining('secret'),
    });
    await expect(readOrMakeKey(folder, 'varve.dev/log/l1')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
