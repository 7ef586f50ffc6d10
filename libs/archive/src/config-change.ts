import { VarveError } from '#core/error';
import { type Environment, splitWords } from './change-words.js';
import { parseHealthcheck } from './healthcheck.js';

/** The `config` member of an image config: what a container of it runs with. Members we do not know stay as they are. */
export interface RunConfig {
  readonly [member: string]: unknown;
  readonly Cmd?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Env?: readonly string[] | null;
  readonly ExposedPorts?: Readonly<Record<string, object>> | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly OnBuild?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, object>> | null;
  readonly WorkingDir?: string;
}

/**
 * The config with Dockerfile instructions applied in their order, as `docker import --change` does it.
 * @throws REQUEST_INVALID naming the instruction that is not known or not well formed
 */
export function changeConfig(config: RunConfig, changes: readonly string[]): RunConfig {
  const setsCommand = changes.some((change) => /^\s*CMD\s/i.test(change));
  return changes.reduce((before, change) => {
    const [, keyword = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(change) ?? [];
    const name = keyword.toUpperCase();
    const instruction = Object.hasOwn(instructions, name) ? instructions[name as keyof typeof instructions] : undefined;
    if (!instruction) {
      const known = Object.keys(instructions).join(', ');
      throw refused(change, `"${keyword}" is no instruction that changes a config: expected one of ${known}`);
    }
    if (rest === '') throw refused(change, `${name} needs an argument`);
    const made = instruction({ before, rest, change, environment: environmentOf(before) });
    // The command of the image below was meant for the entrypoint below.
    return name === 'ENTRYPOINT' && !setsCommand ? { ...before, ...made, Cmd: null } : { ...before, ...made };
  }, config);
}

/** One instruction: `rest` is all behind its name. */
interface Instruction {
  readonly before: RunConfig;
  readonly rest: string;
  readonly change: string;
  readonly environment: Environment;
}

const instructions = {
  CMD: ({ rest }) => ({ Cmd: command(rest) }),
  ENTRYPOINT: ({ rest }) => ({ Entrypoint: command(rest) }),
  ENV: (instruction) => ({ Env: environmentWith(instruction) }),
  EXPOSE: (instruction) => ({
    ExposedPorts: {
      ...instruction.before.ExposedPorts,
      ...keyed(words(instruction).flatMap((port) => portsOf(port, instruction))),
    },
  }),
  HEALTHCHECK: ({ rest, change }) => ({
    Healthcheck: parseHealthcheck(rest, execForm) ?? refuse(change, 'expected NONE, or options and CMD'),
  }),
  LABEL: (instruction) => ({ Labels: { ...instruction.before.Labels, ...Object.fromEntries(pairs(instruction)) } }),
  ONBUILD: ({ before, rest, change }) => {
    if (/^(?:ONBUILD|FROM|MAINTAINER)\b/i.test(rest)) throw refused(change, 'ONBUILD cannot hold that instruction');
    return { OnBuild: [...(before.OnBuild ?? []), rest] };
  },
  STOPSIGNAL: (instruction) => ({ StopSignal: single(instruction) }),
  USER: (instruction) => ({ User: single(instruction) }),
  VOLUME: (instruction) => ({
    Volumes: { ...instruction.before.Volumes, ...keyed(execForm(instruction.rest) ?? words(instruction)) },
  }),
  WORKDIR: (instruction) => ({ WorkingDir: below(instruction.before.WorkingDir ?? '/', single(instruction)) }),
} satisfies Readonly<Record<string, (instruction: Instruction) => RunConfig>>;

/** A JSON array is run as it is, anything else by a shell. */
function command(text: string): readonly string[] {
  return execForm(text) ?? ['/bin/sh', '-c', text];
}

/** The texts of a JSON array; undefined when it is none. */
function execForm(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

function environmentOf({ Env }: RunConfig): Environment {
  return new Map((Env ?? []).map((text): [string, string] => [nameOf(text), text.slice(nameOf(text).length + 1)]));
}

function nameOf(text: string): string {
  return text.split('=', 1)[0] as string;
}

/** A variable that is there keeps its place. */
function environmentWith(instruction: Instruction): readonly string[] {
  const after = new Map(instruction.environment);
  for (const [name, value] of pairs(instruction)) after.set(name, value);
  return [...after].map(([name, value]) => `${name}=${value}`);
}

/** `K=V K="V W"`, or one `K rest of the line`. */
function pairs(instruction: Instruction): readonly [string, string][] {
  const [first = '', ...others] = words(instruction);
  if (!/^[^\s=]+=/.test(instruction.rest)) {
    if (others.length === 0 || first.includes('=')) throw refused(instruction.change, 'expected NAME=VALUE');
    const [, value = ''] = /^\S+\s+([\s\S]*)$/.exec(instruction.rest) ?? [];
    return [[first, splitWords(`"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`, instruction.environment)[0] ?? '']];
  }
  return [first, ...others].map((word) => {
    const at = word.indexOf('=');
    if (at < 1) throw refused(instruction.change, `"${word}" is not NAME=VALUE`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function words({ rest, environment }: Instruction): readonly string[] {
  return splitWords(rest, environment);
}

function single(instruction: Instruction): string {
  const [word, ...others] = words(instruction);
  if (word === undefined || word === '' || others.length > 0) throw refused(instruction.change, 'expected one word');
  return word;
}

/** `80`, `80/udp`, `8000-8010`. */
function portsOf(text: string, { change }: Instruction): readonly string[] {
  const [, from = '', to = from, protocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const [low, high] = [Number(from), Number(to)];
  if (from === '' || high > 65_535 || low > high) throw refused(change, `"${text}" is no port`);
  return Array.from({ length: high - low + 1 }, (_, i) => `${low + i}/${protocol.toLowerCase()}`);
}

function below(folder: string, path: string): string {
  const parts = (path.startsWith('/') ? path : `${folder}/${path}`).split('/');
  const kept: string[] = [];
  for (const part of parts) {
    if (part === '..') kept.pop();
    else if (part !== '' && part !== '.') kept.push(part);
  }
  return `/${kept.join('/')}`;
}

function keyed(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function refuse(change: string, why: string): never {
  throw refused(change, why);
}

function refused(change: string, why: string): VarveError {
  return new VarveError('REQUEST_INVALID', `change "${change}" is refused: ${why}`, { change });
}
