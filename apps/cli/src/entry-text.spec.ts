import { plain } from './colour.js';
import { inColumns, longText, modeText } from './entry-text.js';

describe('the text of an entry', () => {
  it.each([
    ['file', '0644', '-rw-r--r--'],
    ['file', '4755', '-rwsr-xr-x'],
    ['file', '6644', '-rwSr-Sr--'],
    ['directory', '1777', 'drwxrwxrwt'],
    ['directory', '1770', 'drwxrwx--T'],
    ['symlink', '0777', 'lrwxrwxrwx'],
  ] as const)('writes type and mode of a %s of %s as %s', (type, mode, text) => {
    expect(modeText({ type, mode })).toBe(text);
  });

  it('writes a line as ls -l does', () => {
    const entry = { path: 'a', type: 'symlink', size: 0, mode: '0777', uid: 1, gid: 2, mtime: '1434412800.5', link: 'b', sha256: null } as const; // prettier-ignore
    expect(longText(entry, 'a', plain)).toBe('lrwxrwxrwx 1:2                   0 2015-06-16 00:00:00 a -> b');
    expect(longText({ ...entry, mtime: '-99999999999999' }, 'a', plain)).toContain('    -99999999999999 a');
  });

  it('puts names side by side, down the columns', () => {
    const names = ['a', 'bb', 'ccc', 'd', 'e'].map((name) => ({ plain: name, shown: name }));
    expect(inColumns(names, 10)).toBe('a    d\nbb   e\nccc');
    expect(inColumns(names, 1)).toBe('a\nbb\nccc\nd\ne');
  });
});
