import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What a shell has to know of one verb. */
interface CompletedVerb {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** Words that may stand first after it: verbs of its own, or fixed choices. */
  readonly words: readonly string[];
  /** It takes a revision somewhere: refs are asked of the server. */
  readonly takesRefs: boolean;
}

interface CompletedOption {
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
}

/** The script that a shell reads to complete command lines, made from the commands as they are. */
export function completionScript(shell: Shell, program: Command): string {
  const verbs = program.commands.filter(({ _hidden }: Command & { _hidden?: boolean }) => !_hidden).flatMap(verbsIn);
  const common = optionsOf(program);
  if (shell === 'fish') return fishScript(verbs, common);
  return shell === 'bash' ? bashScript(verbs, common) : zshScript(verbs, common);
}

function verbsIn(command: Command): CompletedVerb[] {
  const verb = {
    summary: command.summary(),
    options: [...optionsOf(command), ...command.commands.flatMap(optionsOf)],
    words: [
      ...command.commands.map((sub) => sub.name()),
      ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ],
    takesRefs: command.registeredArguments.some((argument) => namesRevision(argument.name())),
  };
  return [command.name(), ...command.aliases()].map((name) => ({ ...verb, name }));
}

function namesRevision(argument: string): boolean {
  return /^(?:rev|rev:path|ref|branch|a|b|from|to)$/.test(argument);
}

function optionsOf(command: Command): CompletedOption[] {
  return command.options.map(({ short, long, description, required, optional }) => ({
    flags: [long, short].filter((flag) => flag !== undefined && flag !== null),
    description,
    takesValue: required || optional,
  }));
}

function bashScript(verbs: readonly CompletedVerb[], common: readonly CompletedOption[]): string {
  return `# varve completion for bash: source <(varve completion bash)
${shellFunction(verbs, common)}
_varve() {
  local IFS=$' \\t\\n'
  _varve_words "\${COMP_WORDS[@]:1:COMP_CWORD-1}"
  COMPREPLY=($(compgen -W "$_varve_reply" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _varve varve
`;
}

function zshScript(verbs: readonly CompletedVerb[], common: readonly CompletedOption[]): string {
  return `#compdef varve
# varve completion for zsh: source <(varve completion zsh), after compinit
${shellFunction(verbs, common)}
_varve() {
  _varve_words "\${words[@]:1:CURRENT-2}"
  local -a found
  found=(\${=_varve_reply})
  compadd -a found || _files
}
compdef _varve varve
`;
}

/** For bash and zsh: what may stand after the words given, in \`_varve_reply\`; nothing where a file or a text belongs. */
function shellFunction(verbs: readonly CompletedVerb[], common: readonly CompletedOption[]): string {
  const values = [
    ...new Set([...common, ...verbs.flatMap(({ options }) => options)].filter(takesValue).flatMap(flags)),
  ];
  const cases = verbs.map(
    ({ name, options, words, takesRefs }) =>
      `    ${name}) _varve_reply="${[...words, ...options.flatMap(flags), ...common.flatMap(flags), '--help'].join(' ')}"${takesRefs ? '; refs=1' : ''} ;;`,
  );
  const names = verbs.map(({ name }) => name);
  return `_varve_words() {
  local word verb= last= refs=
  for word in "$@"; do
    last=$word
    case $verb:$word in
      ${names.map((name) => `:${name}`).join('|')}) verb=$word ;;
    esac
  done
  _varve_reply=
  case $last in
    ${values.join('|')}) return ;;
  esac
  case $verb in
${cases.join('\n')}
    *) _varve_reply="${[...names, 'help', ...common.flatMap(flags), '--help'].join(' ')}" ;;
  esac
  if [ -n "$refs" ]; then _varve_reply="$_varve_reply $(varve completion refs 2>/dev/null)"; fi
}`;
}

function fishScript(verbs: readonly CompletedVerb[], common: readonly CompletedOption[]): string {
  const lines = [
    '# varve completion for fish: varve completion fish | source',
    ...common.map((option) => `complete -c varve ${fishOption(option)}`),
    ...verbs.flatMap(({ name, summary, options, words, takesRefs }) => {
      const inVerb = `complete -c varve -n '__fish_seen_subcommand_from ${name}'`;
      return [
        `complete -c varve -f -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
        ...(words.length > 0 ? [`${inVerb} -f -a ${quoted(words.join(' '))}`] : []),
        ...options.map((option) => `${inVerb} ${fishOption(option)}`),
        ...(takesRefs ? [`${inVerb} -a '(varve completion refs 2>/dev/null)'`] : []),
      ];
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function fishOption({ flags: named, description, takesValue: value }: CompletedOption): string {
  const written = named.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  return [...written, ...(value ? ['-r'] : []), `-d ${quoted(description)}`].join(' ');
}

function flags(option: CompletedOption): readonly string[] {
  return option.flags;
}

function takesValue(option: CompletedOption): boolean {
  return option.takesValue;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
