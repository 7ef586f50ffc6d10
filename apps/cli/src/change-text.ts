import type { Change, ChangeClass, DiffHead, DiffSummary } from '#client/file-answer';
import type { Colour, Paint } from './colour.js';
import { lineText, pathText } from './path-text.js';
import { shortId } from './ref-text.js';
import { humanSize } from './size.js';

const colours: Readonly<Record<ChangeClass, Colour>> = {
  A: 'green',
  M: 'yellow',
  m: 'cyan',
  D: 'red',
  T: 'magenta',
  S: 'dim',
};
const words: Readonly<Record<ChangeClass, string>> = {
  A: 'added',
  M: 'changed',
  m: 'with other metadata',
  D: 'deleted',
  T: 'of another type',
  S: 'there again unchanged',
};

/** `M<tab>etc/motd`, for programs that know git's. */
export function nameStatus(change: Change): string {
  return `${change.class}\t${pathText(change)}`;
}

/** `M etc/motd  6 B → 10 B`: the class, the path, and what is other. */
export function changeText(change: Change, paint: Paint): string {
  const what = differenceText(change);
  return `${paint(colours[change.class], change.class)} ${pathText(change)}${what === '' ? '' : `  ${paint('dim', what)}`}`;
}

function differenceText({ class: is, before, after, changed }: Change): string {
  if (is === 'T') return `${before?.type} → ${after?.type}`;
  const parts = changed.filter((part) => part !== 'content').map((part) => partText(part, { before, after }));
  if (is === 'M' && before?.type === 'symlink') {
    parts.unshift(`${lineText(before.link ?? '')} → ${lineText(after?.link ?? '')}`);
  } else if (is === 'M') parts.unshift(`${humanSize(before?.size ?? 0)} → ${humanSize(after?.size ?? 0)}`);
  const alone = after ?? before;
  if ((is === 'A' || is === 'D') && alone?.type === 'file') parts.push(humanSize(alone.size));
  return parts.join(', ');
}

function partText(part: string, { before, after }: Pick<Change, 'before' | 'after'>): string {
  if (part === 'mode') return `mode ${before?.mode} → ${after?.mode}`;
  if (part === 'owner') return `owner ${before?.uid}:${before?.gid} → ${after?.uid}:${after?.gid}`;
  return part;
}

/** What is other beside the files, a line each; nothing when nothing is. */
export function headText({ from, to, layers, config }: DiffHead, paint: Paint): string[] {
  const lines = [
    ...layers.removed.map((diffId) => paint('red', `- layer ${diffId}`)),
    ...layers.added.map((diffId) => paint('green', `+ layer ${diffId}`)),
    ...config.map(
      ({ pointer, before, after }) => `config ${lineText(pointer)}: ${valueText(before)} → ${valueText(after)}`,
    ),
  ];
  const title = `${from === null ? 'nothing' : shortId(from)} → ${shortId(to)}`;
  return [paint('bold', `${title}, ${layers.shared} layers shared`), ...lines];
}

/** `2 added, 1 deleted; 12 kB more, 3 kB less` */
export function summaryText({ classes, bytesAdded, bytesRemoved }: DiffSummary): string {
  const counts = (Object.keys(words) as ChangeClass[])
    .filter((is) => classes[is] > 0)
    .map((is) => `${classes[is]} ${words[is]}`);
  if (counts.length === 0) return 'no file is other';
  return `${counts.join(', ')}; ${humanSize(bytesAdded)} more, ${humanSize(bytesRemoved)} less`;
}

const valueCharactersMax = 200;

function valueText(value: unknown): string {
  if (value === undefined) return '(none)';
  const text = lineText(JSON.stringify(value));
  return text.length > valueCharactersMax ? `${text.slice(0, valueCharactersMax)}…` : text;
}
