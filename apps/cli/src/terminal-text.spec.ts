import { firstLine, terminalText } from './terminal-text.js';

it('shows what could command a terminal instead of sending it', () => {
  expect(terminalText('a\u001b[2Jb\r\u202ec')).toBe('a\\u001b[2Jb\\u000d\\u202ec');
});

it('keeps letters of every script, tabs and line breaks', () => {
  expect(terminalText('Größe\t漢字\n🙂')).toBe('Größe\t漢字\n🙂');
});

it('cuts the first line between characters, never inside one', () => {
  expect(firstLine('🙂🙂🙂🙂\nrest', 3)).toBe('🙂🙂…');
  expect(firstLine('  short\tline  \nrest')).toBe('short line');
});
