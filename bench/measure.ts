import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** One way to do the job. `run` does it once; `bytes` is what it handles, for a rate. */
export interface Candidate {
  readonly name: string;
  readonly bytes: number;
  run(): Promise<void>;
}

export interface Measured {
  readonly name: string;
  readonly medianMs: number;
  readonly bestMs: number;
  readonly bytes: number;
}

/**
 * Runs every candidate once per round, in turn, so that a busy machine disturbs all of them alike; read the ratios, not
 * the times. One round before the first is not counted: it warms caches and the compiler.
 */
export async function sideBySide(candidates: readonly Candidate[], rounds = 7): Promise<readonly Measured[]> {
  const times = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const candidate of candidates) {
      const start = performance.now();
      await candidate.run();
      if (round >= 0) times.get(candidate.name)?.push(performance.now() - start);
    }
  }
  return candidates.map(({ name, bytes }) => {
    const sorted = (times.get(name) ?? []).toSorted((a, b) => a - b);
    return { name, bytes, bestMs: sorted[0] ?? NaN, medianMs: sorted[Math.floor(sorted.length / 2)] ?? NaN };
  });
}

/** One run of each, for what takes too long to be run again; its input is in the page cache by then. */
export async function once(candidates: readonly Candidate[]): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const candidate of candidates) {
    const { name, bytes } = candidate;
    const start = performance.now();
    await candidate.run();
    const took = performance.now() - start;
    measured.push({ name, bytes, medianMs: took, bestMs: took });
  }
  return measured;
}

/** A table for people and for docs/performance.md; the ratio is the speed compared to the first row. */
export function table(title: string, measured: readonly Measured[]): string {
  const yardstick = measured[0]?.medianMs ?? NaN;
  const rows = measured.map(({ name, medianMs, bestMs, bytes }) => {
    const megabytesPerSecond = bytes / 1e6 / (medianMs / 1e3);
    const cells = [name, ms(medianMs), ms(bestMs), megabytesPerSecond.toFixed(0), (yardstick / medianMs).toFixed(2)];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `### ${title}`,
    '',
    '| what | median ms | best ms | MB/s | speed |',
    '| --- | --: | --: | --: | --: |',
    ...rows,
  ].join('\n');
}

/** What the numbers are worth: the machine, the system, the program that ran. */
export function machine(): string {
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
  return `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, ${memory}, Linux ${release()}, Node ${process.versions.node}, load ${load}`;
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
