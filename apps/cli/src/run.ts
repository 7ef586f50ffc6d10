import { failureOf } from './failure.js';
import { watchInterruption } from './interruption.js';
import { programFor } from './program.js';
import { inSession } from './in-session.js';

/** Runs one command line to its end and sets the exit code. Never throws. */
export async function main(args: readonly string[]): Promise<void> {
  const interruption = watchInterruption();
  // A reader that leaves is seen by the write it breaks; without a listener the event itself would end us with a stack.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  try {
    const program = await programFor(args, inSession(interruption.signal));
    if (args.length === 0) program.help();
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    const json = args.includes('--json');
    const failure = failureOf(error, { json, debug: process.env['VARVE_DEBUG'] !== undefined });
    process.exitCode = interruption.exit ?? failure.exit;
    if (failure.text !== '') process.stderr.write(`${failure.text}\n`);
  }
}
