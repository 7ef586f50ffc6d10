import type { SingleBar } from 'cli-progress';
import { humanSize } from './size.js';

/** Counts bytes as they pass. Shown only to a person at a terminal; to everyone else it is silent. */
export interface Progress {
  add(bytes: number): void;
  stop(): void;
}

const silent: Progress = { add: () => undefined, stop: () => undefined };

/**
 * A bar with bytes, rate and time left on a terminal's stderr; nothing in a pipe, under --quiet or --json.
 * `totalBytes` null (a pipe of unknown length) shows bytes and rate alone.
 */
export async function startProgress(
  label: string,
  totalBytes: number | null,
  { isShown }: { isShown: boolean },
): Promise<Progress> {
  if (!isShown || !process.stderr.isTTY) return silent;
  const { default: progress } = await import('cli-progress');
  const bar = new progress.SingleBar({
    format: (_options, params, payload: { rate: number }) =>
      bytesLine(label, { doneBytes: params.value, totalBytes, bytesPerSecond: payload.rate }),
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: null,
    fps: 8,
    etaBuffer: 50,
  });
  bar.start(totalBytes ?? 0, 0, { rate: 0 });
  return new ByteBar(bar);
}

class ByteBar implements Progress {
  readonly #bar: SingleBar;
  readonly #startedMs = performance.now();
  #doneBytes = 0;

  constructor(bar: SingleBar) {
    this.#bar = bar;
  }

  add(bytes: number): void {
    this.#doneBytes += bytes;
    const seconds = Math.max((performance.now() - this.#startedMs) / 1000, 0.001);
    this.#bar.update(this.#doneBytes, { rate: this.#doneBytes / seconds });
  }

  /** May be called again. */
  stop(): void {
    if (this.#bar.isActive) this.#bar.stop();
  }
}

const barCharacters = 24;

/** `load image.tar  [=====>      ]  41.2 MB of 180.1 MB  92.3 MB/s  2 s left` */
export function bytesLine(
  label: string,
  passed: { doneBytes: number; totalBytes: number | null; bytesPerSecond: number },
): string {
  const { doneBytes, totalBytes, bytesPerSecond } = passed;
  const rate = `${humanSize(Math.round(bytesPerSecond))}/s`;
  if (totalBytes === null) return `${label}  ${humanSize(doneBytes)}  ${rate}`;
  const share = totalBytes === 0 ? 1 : Math.min(doneBytes / totalBytes, 1);
  const full = Math.floor(share * barCharacters);
  const bar = `${'='.repeat(full)}${full < barCharacters ? '>' : ''}`.padEnd(barCharacters);
  const left = bytesPerSecond > 0 ? `${timeLeft((totalBytes - doneBytes) / bytesPerSecond)} left` : '';
  return `${label}  [${bar}]  ${humanSize(doneBytes)} of ${humanSize(totalBytes)}  ${rate}  ${left}`.trimEnd();
}

function timeLeft(seconds: number): string {
  const whole = Math.max(Math.ceil(seconds), 0);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
