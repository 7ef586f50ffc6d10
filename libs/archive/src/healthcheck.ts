/** How a container is asked whether it is well. Times in nanoseconds, as in an image's config. */
export interface Healthcheck {
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

const durations = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

/**
 * Reads `NONE`, or `[--interval=30s …] CMD command`; undefined when it is neither. `execForm` reads a command that is a
 * JSON array. @see Dockerfile reference, HEALTHCHECK
 */
export function parseHealthcheck(
  text: string,
  execForm: (command: string) => readonly string[] | undefined,
): Healthcheck | undefined {
  if (/^NONE$/i.test(text)) return { Test: ['NONE'] };
  const [, options = '', command = ''] = /^((?:--\S+\s+)*)CMD\s+([\s\S]+)$/i.exec(text) ?? [];
  if (command === '') return undefined;
  const read: Record<string, number> = {};
  for (const option of options.split(/\s+/).filter((one) => one !== '')) {
    const [, name = '', value = ''] = /^--([a-z-]+)=(.+)$/.exec(option) ?? [];
    const isRetries = name === 'retries' && /^\d{1,9}$/.test(value);
    const member = isRetries ? 'Retries' : durations[name as keyof typeof durations];
    const number = isRetries ? Number(value) : nanoseconds(value);
    if (!member || number === undefined) return undefined;
    read[member] = number;
  }
  const exec = execForm(command);
  return { Test: exec ? ['CMD', ...exec] : ['CMD-SHELL', command], ...read };
}

const unitNanoseconds: Readonly<Record<string, number>> = {
  ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9,
}; // prettier-ignore

/** Go's durations: `1m30s`, `1.5h`. */
function nanoseconds(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(number) * (unitNanoseconds[unit] ?? 0);
  }
  return Number.isSafeInteger(Math.round(sum)) ? Math.round(sum) : undefined;
}
