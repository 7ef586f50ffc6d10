const steps: readonly (readonly [string, number])[] = [
  ['second', 1],
  ['minute', 60],
  ['hour', 3_600],
  ['day', 86_400],
  ['week', 604_800],
  ['month', 2_592_000],
  ['year', 31_536_000],
];

/** How long ago a time was, in the largest unit that fits twice, as `docker images` says it: `3 weeks ago`. */
export function humanAge(time: string | null, nowMs: number): string {
  if (time === null) return 'no time';
  const seconds = Math.floor((nowMs - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) return time;
  if (seconds < 0) return 'in the future';
  if (seconds < 2) return 'now';
  const [unit, length] = steps.findLast(([, unitSeconds]) => seconds >= 2 * unitSeconds) ?? ['second', 1];
  return `${Math.floor(seconds / length)} ${unit}s ago`;
}
