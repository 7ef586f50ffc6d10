/** Control characters, among them the escape that starts a terminal's commands, and the marks that turn text around. */
// oxlint-disable-next-line no-control-regex
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of a commit made harmless for a terminal: what could command it is shown as `\u001b`. Tabs and newlines stay. */
export function terminalText(text: string): string {
  return text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The first line, cut to `charactersMax` with an ellipsis. */
export function firstLine(text: string, charactersMax = 72): string {
  const line = terminalText(text.split('\n', 1)[0] ?? '')
    .replaceAll('\t', ' ')
    .trim();
  const characters = Array.from(line);
  return characters.length <= charactersMax ? line : `${characters.slice(0, charactersMax - 1).join('')}…`;
}
