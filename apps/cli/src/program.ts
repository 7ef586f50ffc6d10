import { Command } from 'commander';
import type { Run } from './in-session.js';
import { allExitCodes } from './help.js';
import { cliVersion } from './version.js';

/** A verb before its file is loaded: what `varve --help` says of it, and where it is. */
interface Verb {
  readonly name: string;
  readonly alias?: string;
  readonly group: string;
  readonly summary: string;
  load(run: Run): Promise<Command>;
}

const groups = {
  start: 'Start:',
  look: 'Look at history:',
  files: 'Look into commits:',
  move: 'Move refs:',
  bytes: 'Bytes in and out:',
  care: 'Care:',
};

/** In the order of the help. One file each, loaded only when it is asked for: start-up is most of a short command's time. */
const verbs: readonly Verb[] = [
  { name: 'serve', group: groups.start, summary: 'run the server in this terminal', load: async () => (await import('./commands/serve.js')).serveCommand() },
  { name: 'init', group: groups.start, summary: 'make an empty repository', load: async (run) => (await import('./commands/init.js')).initCommand(run) },
  { name: 'repos', group: groups.start, summary: 'list the repositories', load: async (run) => (await import('./commands/repos.js')).reposCommand(run) },
  { name: 'images', group: groups.look, summary: 'list tagged images, or draw the DAG with --tree', load: async (run) => (await import('./commands/images.js')).imagesCommand(run) },
  { name: 'log', group: groups.look, summary: 'show the commits a revision reaches', load: async (run) => (await import('./commands/log.js')).logCommand(run) },
  { name: 'show', group: groups.look, summary: 'show one commit in full', load: async (run) => (await import('./commands/show.js')).showCommand(run) },
  { name: 'refs', group: groups.look, summary: 'list branches and tags with their commits', load: async (run) => (await import('./commands/refs.js')).refsCommand(run) },
  { name: 'reflog', group: groups.look, summary: 'show the moves of a ref, newest first', load: async (run) => (await import('./commands/reflog.js')).reflogCommand(run) },
  { name: 'watch', group: groups.look, summary: 'show what happens, as it happens', load: async (run) => (await import('./commands/watch.js')).watchCommand(run) },
  { name: 'merge-base', group: groups.look, summary: 'show the best common ancestor of two commits', load: async (run) => (await import('./commands/merge-base.js')).mergeBaseCommand(run) },
  { name: 'rev-parse', group: groups.look, summary: 'print the commit ids that revisions mean', load: async (run) => (await import('./commands/rev-parse.js')).revParseCommand(run) },
  { name: 'du', group: groups.look, summary: 'show what refs take, alone and shared', load: async (run) => (await import('./commands/du.js')).duCommand(run) },
  { name: 'ls', group: groups.files, summary: 'list a directory of a commit', load: async (run) => (await import('./commands/ls.js')).lsCommand(run) },
  { name: 'cat', group: groups.files, summary: 'write the content of a file of a commit', load: async (run) => (await import('./commands/cat.js')).catCommand(run) },
  { name: 'diff', group: groups.files, summary: 'tell how two commits differ', load: async (run) => (await import('./commands/diff.js')).diffCommand(run) },
  { name: 'find', group: groups.files, summary: 'find files of a commit by name, content, size or setuid', load: async (run) => (await import('./commands/find.js')).findCommand(run) },
  { name: 'layer', group: groups.files, summary: 'look at one layer alone', load: async (run) => (await import('./commands/layer.js')).layerCommand(run) },
  { name: 'branch', group: groups.move, summary: 'list, make or delete branches', load: async (run) => (await import('./commands/branch.js')).branchCommand(run) },
  { name: 'tag', group: groups.move, summary: 'list, make, move or delete tags', load: async (run) => (await import('./commands/tag.js')).tagCommand(run) },
  { name: 'reset', group: groups.move, summary: 'point a branch at any commit', load: async (run) => (await import('./commands/reset.js')).resetCommand(run) },
  { name: 'rollback', group: groups.move, summary: 'point a ref back at an earlier commit', load: async (run) => (await import('./commands/rollback.js')).rollbackCommand(run) },
  { name: 'restore', group: groups.move, summary: 'make a deleted ref again', load: async (run) => (await import('./commands/restore.js')).restoreCommand(run) },
  { name: 'update-ref', group: groups.move, summary: 'move several refs together, or none', load: async (run) => (await import('./commands/update-ref.js')).updateRefCommand(run) },
  { name: 'load', group: groups.bytes, summary: 'take in an image archive', load: async (run) => (await import('./commands/load.js')).loadCommand(run) },
  { name: 'import', group: groups.bytes, summary: 'take in a root filesystem as an image of one layer', load: async (run) => (await import('./commands/import.js')).importCommand(run) },
  { name: 'commit', group: groups.bytes, summary: 'put a layer on a branch', load: async (run) => (await import('./commands/commit.js')).commitCommand(run) },
  { name: 'checkout', group: groups.bytes, summary: 'write the root filesystem of a commit', load: async (run) => (await import('./commands/checkout.js')).checkoutCommand(run) },
  { name: 'audit', group: groups.care, summary: 'ask who did what, and prove what a ref pointed at', load: async (run) => (await import('./commands/audit.js')).auditCommand(run) },
  { name: 'materialize', group: groups.bytes, summary: 'have a root filesystem lie ready as a file', load: async (run) => (await import('./commands/materialize.js')).materializeCommand(run) },
  { name: 'jobs', group: groups.care, summary: 'show, retry and cancel jobs that make tarballs', load: async (run) => (await import('./commands/jobs.js')).jobsCommand(run) },
  { name: 'transaction', group: groups.care, summary: 'look up what became of a write, or end it', load: async (run) => (await import('./commands/transaction.js')).transactionCommand(run) },
  { name: 'eventlog', group: groups.care, summary: 'export the event log, or copy one into an empty server', load: async (run) => (await import('./commands/eventlog.js')).eventlogCommand(run) },
  { name: 'status', alias: 'state', group: groups.care, summary: 'show the state of the server', load: async (run) => (await import('./commands/status.js')).statusCommand(run) },
  { name: 'rebuild', group: groups.care, summary: 'make the graph again from the event log', load: async (run) => (await import('./commands/rebuild.js')).rebuildCommand(run) },
  { name: 'gc', group: groups.care, summary: 'remove stored blobs that nothing names', load: async (run) => (await import('./commands/gc.js')).gcCommand(run) },
  { name: 'fsck', group: groups.care, summary: 'check everything the server keeps', load: async (run) => (await import('./commands/fsck.js')).fsckCommand(run) },
  { name: 'completion', group: groups.care, summary: 'print a script that completes command lines', load: async (run) => (await import('./commands/completion.js')).completionCommand(() => wholeProgram(run)) },
  { name: 'version', group: groups.care, summary: 'show the versions of the command and the server', load: async (run) => (await import('./commands/version.js')).versionCommand(run) },
]; // prettier-ignore

/** The whole command, with the files of those verbs that `args` may mean. */
export async function programFor(args: readonly string[], run: Run): Promise<Command> {
  const program = new Command('varve')
    .description('Keeps the dated history of container-image layers.')
    .version(cliVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .commandsGroup(groups.care)
    .option('--server <url>', 'the server to ask (VARVE_SERVER; default http://127.0.0.1:7373)')
    .option('--repo <name>', 'the repository meant (VARVE_REPO; default: the only one)')
    .option('--at <moment>', 'answer as of a time, such as 3.days.ago, or a position; only for questions')
    .option('--json', 'answer with JSON of a stable shape')
    .option('-q, --quiet', 'no progress and no notes')
    .exitOverride()
    // Its errors are said as all others are, by failure.ts.
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', allExitCodes());
  for (const verb of verbs) program.addCommand(await commandOf(verb, { program, args, run }));
  return program;
}

/** With the files of all verbs. */
function wholeProgram(run: Run): Promise<Command> {
  return programFor(
    verbs.map(({ name }) => name),
    run,
  );
}

async function commandOf(
  verb: Verb,
  { program, args, run }: { program: Command; args: readonly string[]; run: Run },
): Promise<Command> {
  const isAsked = args.includes(verb.name) || (verb.alias !== undefined && args.includes(verb.alias));
  const command = isAsked ? await verb.load(run) : new Command(verb.name);
  command
    .copyInheritedSettings(program)
    .summary(verb.summary)
    .helpGroup(verb.group)
    .helpOption('-h, --help', 'print help');
  for (const part of command.commands) part.copyInheritedSettings(command);
  return verb.alias === undefined ? command : command.alias(verb.alias);
}
