import { Worker } from 'node:worker_threads';

const caseMaxMs = 10_000;
const rssMaxBytes = 3 * 2 ** 30;

/**
 * Ends this process when one case runs too long or takes too much memory, and says which: a case that hangs in plain
 * code can be stopped by nothing else. `watch(name)` begins a case.
 */
export class Watchdog {
  readonly #worker = new Worker(guard, { eval: true, workerData: { caseMaxMs, rssMaxBytes } });

  watch(name: string): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    this.#worker.postMessage(name);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

const guard = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { writeSync } = require('node:fs');
  let name = '', since = Date.now();
  parentPort.on('message', (next) => { name = next; since = Date.now(); });
  const end = (why) => { writeSync(2, '\\n' + name + ' ' + why + '\\n'); process.kill(process.pid, 'SIGKILL'); };
  setInterval(() => {
    if (name !== '' && Date.now() - since > workerData.caseMaxMs) end('has run for more than ' + workerData.caseMaxMs + ' ms');
    if (process.memoryUsage.rss() > workerData.rssMaxBytes) end('took more than ' + workerData.rssMaxBytes + ' bytes of memory');
  }, 500);
`;
