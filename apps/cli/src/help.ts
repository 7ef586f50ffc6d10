import type { Command } from 'commander';

/** What each exit code means, for people; the codes themselves are `#core/exit-code`. @see docs/reference/cli.md */
const exitMeanings: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'the input is damaged or not accepted',
  2: 'the command is not well formed: a name, an option, a file of yours',
  3: 'there is no such repository, ref or commit',
  4: 'history says no: something moved, or would be lost',
  5: 'try again: no server, no room, no answer in time',
  6: 'not allowed',
  7: 'stored bytes are damaged',
  70: 'a fault of ours',
  130: 'interrupted',
};

/** Ends a command's help with examples and the exit codes it can have. */
export function withHelp(command: Command, examples: readonly string[], codes: readonly number[]): Command {
  const shown = [0, ...codes].map((code) => `  ${String(code).padEnd(4)} ${exitMeanings[code]}`);
  return command
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n\nExit codes:\n${shown.join('\n')}`,
    );
}

/** All of them, for the end of `varve --help`. */
export function allExitCodes(): string {
  const lines = Object.entries(exitMeanings).map(([code, meaning]) => `  ${code.padEnd(4)} ${meaning}`);
  return `\nExit codes:\n${lines.join('\n')}`;
}
