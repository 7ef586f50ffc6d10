/** What a measurement was to reach, and what it reached. */
export interface Aim {
  readonly what: string;
  /** As text, unit included: `≥ 0.80 × cat`. */
  readonly aim: string;
  readonly measured: string;
  readonly met: boolean;
}

/** What a bench found: its aims, and the tables behind them. */
export interface Found {
  readonly aims: readonly Aim[];
  readonly text: string;
}

/** At least `least`, as a ratio to something measured in the same run. */
export function atLeast(what: string, ratio: number, least: number, unit: string): Aim {
  return { what, aim: `≥ ${least} × ${unit}`, measured: `${ratio.toFixed(2)} ×`, met: ratio >= least };
}

/** At least `least` of a unit, a second or whatever the unit says. */
export function atLeastSo(what: string, value: number, least: number, unit: string): Aim {
  return { what, aim: `≥ ${least} ${unit}`, measured: `${value.toFixed(0)} ${unit}`, met: value >= least };
}

/** At most `most` of a unit. */
export function atMost(what: string, value: number, most: number, unit: string): Aim {
  const digits = value < 10 ? 2 : 0;
  return { what, aim: `≤ ${most} ${unit}`, measured: `${value.toFixed(digits)} ${unit}`, met: value <= most };
}

/** A peer that could not be measured beside us. */
export function absent(what: string, peer: string, why: string): Aim {
  return { what, aim: `beside ${peer}`, measured: `absent: ${why}`, met: true };
}

export function aimTable(aims: readonly Aim[]): string {
  const rows = aims.map(({ what, aim, measured, met }) => {
    const verdict = measured.startsWith('absent') ? '–' : met ? 'met' : '**missed**';
    return `| ${what} | ${aim} | ${measured} | ${verdict} |`;
  });
  return ['| what | aim | measured | |', '| --- | --- | --: | --- |', ...rows].join('\n');
}
