import type { ExtractionReport } from './extraction-report.js';

interface Time {
  readonly mtimeSeconds: bigint;
  readonly mtimeNanos: number;
}

/**
 * Sets a time through Node, which takes seconds as a double: whole seconds are exact, nanoseconds of our days are kept
 * to about 250. The time goes as text, because Node turns a negative *number* into now (Node 24, fs.utimes).
 */
export function setTime(set: (time: string) => void, time: Time, report: ExtractionReport): void {
  const seconds = decimalSeconds(time);
  try {
    set(seconds);
    if (time.mtimeNanos !== 0 && BigInt(Math.round(Number(seconds) * 1e9)) !== nanosOf(time)) report.timesNotExact++;
  } catch {
    report.timesNotExact++;
  }
}

/** `mtimeNanos` counts up from the second below: -1 s and 250,000,000 ns is -0.75 s. */
function decimalSeconds({ mtimeSeconds, mtimeNanos }: Time): string {
  if (mtimeNanos === 0) return String(mtimeSeconds);
  const nanos = nanosOf({ mtimeSeconds, mtimeNanos });
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % 1_000_000_000n).padStart(9, '0');
  return `${nanos < 0n ? '-' : ''}${size / 1_000_000_000n}.${fraction}`;
}

function nanosOf({ mtimeSeconds, mtimeNanos }: Time): bigint {
  return mtimeSeconds * 1_000_000_000n + BigInt(mtimeNanos);
}
