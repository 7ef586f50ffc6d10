import type { EntryState, TreeEntry } from '#client/file-answer';
import type { Colour, Paint } from './colour.js';
import { lineText } from './path-text.js';

const typeLetters = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  hardlink: 'h',
  char: 'c',
  block: 'b',
  fifo: 'p',
} as const;

/** `-rwsr-xr-x`, as `ls -l` writes type and mode. */
export function modeText({ type, mode }: Pick<EntryState, 'type' | 'mode'>): string {
  const bits = parseInt(mode, 8);
  const triples = [6, 3, 0].map((shift, at) => {
    const special = (bits & (0o4000 >> at)) !== 0;
    const letters = at === 2 ? ['t', 'T'] : ['s', 'S'];
    const execute = (bits >> shift) & 1;
    const last = special ? letters[execute === 1 ? 0 : 1] : execute === 1 ? 'x' : '-';
    return `${(bits >> shift) & 4 ? 'r' : '-'}${(bits >> shift) & 2 ? 'w' : '-'}${last}`;
  });
  return typeLetters[type] + triples.join('');
}

/** A line as `ls -l` writes it, in UTC: `-rw-r--r-- 0:0 6 2015-06-16 00:00:00 etc/motd`. */
export function longText(entry: TreeEntry, name: string, paint: Paint): string {
  const size = entry.device ? `${entry.device.major}, ${entry.device.minor}` : String(entry.size);
  const link = entry.link === undefined ? '' : ` -> ${lineText(entry.link)}`;
  const owner = `${entry.uid}:${entry.gid}`;
  return `${modeText(entry)} ${owner.padEnd(11)} ${size.padStart(11)} ${timeText(entry.mtime)} ${nameText(entry, name, paint)}${link}`;
}

export function nameText({ type, mode }: Pick<EntryState, 'type' | 'mode'>, name: string, paint: Paint): string {
  const colour = colourOf(type, parseInt(mode, 8));
  return colour ? paint(colour, name) : name;
}

function colourOf(type: EntryState['type'], mode: number): Colour | undefined {
  if (type === 'directory') return 'blue';
  if (type === 'symlink') return 'cyan';
  if (type !== 'file') return 'yellow';
  if ((mode & 0o6000) !== 0) return 'red';
  return (mode & 0o111) !== 0 ? 'green' : undefined;
}

/** Seconds since 1970 as a date; as they are when no calendar has such a year. */
function timeText(seconds: string): string {
  const ms = Number(seconds) * 1000;
  if (!(ms >= Date.UTC(0, 0) && ms < Date.UTC(10_000, 0))) return seconds.padStart(19);
  return new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

/** Names side by side, down the columns, as `ls` on a terminal of so many characters. */
export function inColumns(names: readonly { readonly plain: string; readonly shown: string }[], width: number): string {
  const widest = Math.max(1, ...names.map(({ plain }) => Array.from(plain).length)) + 2;
  const columns = Math.max(1, Math.floor(width / widest));
  const rows = Math.ceil(names.length / columns);
  return Array.from({ length: rows }, (_, row) =>
    names
      .filter((_name, at) => at % rows === row)
      .map(({ plain, shown }) => shown + ' '.repeat(widest - Array.from(plain).length))
      .join('')
      .trimEnd(),
  ).join('\n');
}
