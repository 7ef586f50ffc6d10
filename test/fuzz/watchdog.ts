import { Worker } from 'node:worker_threads';

/** Of processor time, for a busy machine makes every case slow; one that waits for nothing is ended by the clock. */
const caseMaxMs = 10_000;
const waitMaxMs = 120_000;
const rssMaxBytes = 3 * 2 ** 30;

/**
 * Ends this process when one case runs too long or takes too much memory, and says which: a case that hangs in plain
 * code can be stopped by nothing else. `watch(name)` begins a case.
 */
export class Watchdog {
  readonly #worker = new Worker(guard, { eval: true, workerData: { caseMaxMs, waitMaxMs, rssMaxBytes } });

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
  const cpuMs = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
  let name = '', since = Date.now(), cpuSince = cpuMs();
  parentPort.on('message', (next) => { name = next; since = Date.now(); cpuSince = cpuMs(); });
  const end = (why) => { writeSync(2, '\\n' + name + ' ' + why + '\\n'); process.kill(process.pid, 'SIGKILL'); };
  setInterval(() => {
    if (name !== '' && cpuMs() - cpuSince > workerData.caseMaxMs) end('has worked for more than ' + workerData.caseMaxMs + ' ms');
    if (name !== '' && Date.now() - since > workerData.waitMaxMs) end('has not ended after ' + workerData.waitMaxMs + ' ms');
    if (process.memoryUsage.rss() > workerData.rssMaxBytes) end('took more than ' + workerData.rssMaxBytes + ' bytes of memory');
  }, 500);
`;
