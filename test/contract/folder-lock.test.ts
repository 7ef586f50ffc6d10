import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from '#adapters/sqlite/folder-lock';
import { canMountSmallDisk, onSmallDisk } from '../fixture/bytes-small-disk.js';

const canMount = canMountSmallDisk();
const ifMounted = canMount ? it : it.skip;
const why = canMount ? '' : ' (needs root, to mount a small disk)';
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'varve-lock-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const inUse = () => expect.objectContaining({ code: 'DATA_IN_USE', message: expect.stringContaining(folder) });

/** Takes the same lock in another process, by the same statement, and holds it. */
async function holdElsewhere(): Promise<ChildProcess> {
  const hold = `
    const { DatabaseSync } = require('node:sqlite');
    const db = new DatabaseSync(process.argv[1]);
    db.exec('BEGIN EXCLUSIVE');
    console.log('held');
    setTimeout(() => db.close(), 20_000);`;
  const child = spawn(process.execPath, ['-e', hold, join(folder, 'lock.db')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('lockFolder', () => {
  it('makes the folder and takes it, once', () => {
    const inner = join(folder, 'a', 'b');
    const lock = lockFolder(inner);
    expect(() => lockFolder(inner)).toThrow(expect.objectContaining({ code: 'DATA_IN_USE' }));
    lock.release();
    lock.release();
    lockFolder(inner).release();
  });

  it('refuses a folder that another process has, until that one is killed', async () => {
    const child = await holdElsewhere();
    expect(() => lockFolder(folder)).toThrow(inUse());
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockFolder(folder).release();
  });

  ifMounted(`says UNAVAILABLE, and why, for a folder that cannot be written${why}`, () =>
    onSmallDisk(1 << 20, async (disk) => {
      lockFolder(disk.folder).release();
      disk.makeReadOnly();
      const message = expect.stringMatching(/cannot be used: .*read-only file system/);
      expect(() => lockFolder(disk.folder)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE', message }));
    }),
  );

  it('says UNAVAILABLE for what is no folder', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => lockFolder(file)).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE', message: expect.stringContaining(file) }),
    );
  });
});
