import { Argument, Command } from 'commander';
import { type Shell, shells } from '../completion-script.js';
import { withHelp } from '../help.js';
import { bareName } from '../ref-text.js';
import type { GlobalOptions } from '../session.js';

/** Whoever presses Tab waits no longer than this for a server. */
const refsMaxMs = 700;

/** `varve completion SHELL`, and `varve completion refs`, which its scripts ask. */
export function completionCommand(wholeProgram: () => Promise<Command>): Command {
  const command = new Command('completion')
    .description(
      'Prints a script that makes a shell complete verbs, options and refs. Refs are asked of the server, which has ' +
        '0.7 seconds to answer; `varve completion refs` prints them.',
    )
    .addArgument(new Argument('<shell>').choices([...shells, 'refs']))
    .action(async (word: Shell | 'refs') => {
      process.stdout.write(word === 'refs' ? await refWords(command.optsWithGlobals()) : await script(word));
    });

  async function script(shell: Shell): Promise<string> {
    const { completionScript } = await import('../completion-script.js');
    return completionScript(shell, await wholeProgram());
  }
  return withHelp(
    command,
    ['source <(varve completion bash)', 'source <(varve completion zsh)', 'varve completion fish | source'],
    [2],
  );
}

/** Names to choose from; none when the server does not answer in time: completion never complains. */
async function refWords(options: GlobalOptions): Promise<string> {
  const { Session } = await import('../session.js');
  const session = new Session(options, AbortSignal.timeout(refsMaxMs));
  try {
    const refs = await session.client.refs(await session.repository());
    return [...new Set(refs.map(({ ref }) => bareName(ref)))].map((name) => `${name}\n`).join('');
  } catch {
    return '';
  } finally {
    session.close();
  }
}
