import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:http';
import { join } from 'node:path';
import { atMost, type Found } from './aim.js';
import { commitSynthetic, inScratch, makeRepository, withEngine } from './history.js';
import { layerStream } from './layer-stream.js';
import { type Server, withServer } from './server.js';

const files = 100_000;
const bodyBytes = 1024;
const commits = 100;
const warmRounds = 7;
const mebibyte = 2 ** 20;

/**
 * Many checkouts of one image of 100,000 entries at once: what do they cost in memory, and what does a commit of 1 KiB
 * beside them wait? Takes how many. Each reader takes what it gets, as fast as it comes.
 */
export async function benchConcurrency(given = '32'): Promise<Found> {
  const readers = Number(given);
  return inScratch(async (scratch) => {
    const data = join(scratch, 'data');
    await withEngine(data, async (engine) => {
      await makeRepository(engine);
      await commitSynthetic(engine, { first: 0, files, bodyBytes });
    });
    return withServer(data, async (server) => {
      const cold = await read(`${server.url}/api/v1/repos/bench/commits/main/rootfs.tar`);
      const commit = (await (await fetch(`${server.url}/api/v1/repos/bench/commits/main`)).json()) as { id: string };
      const url = `${server.url}/api/v1/repos/bench/commits/${commit.id}/rootfs.tar`;
      const warm: number[] = [];
      for (let round = 0; round < warmRounds; round++) warm.push((await read(url)).firstByteMs);
      const layers = await smallLayers();
      const idle = await commitTimes(server, layers.slice(0, commits));
      const idleBytes = server.memory().rssBytes;
      const reading = Array.from({ length: readers }, () => readAgainAndAgain(url));
      const busy = await commitTimes(server, layers.slice(commits));
      for (const reader of reading) reader.kill();
      const perReader = (server.memory().peakBytes - idleBytes) / readers / mebibyte;
      const factor = percentile(busy, 0.99) / percentile(idle, 0.99);
      const row = (what: string, times: readonly number[]): string =>
        `| ${what} | ${percentile(times, 0.5).toFixed(1)} | ${percentile(times, 0.99).toFixed(1)} |`;
      const rows = [row('alone', idle), row(`beside ${readers} checkouts`, busy)];
      return {
        aims: [
          atMost('first byte of a checkout of 100,000 entries, cold', cold.firstByteMs, 500, 'ms'),
          atMost('first byte of a checkout of 100,000 entries, warm', percentile(warm, 0.5), 50, 'ms'),
          atMost(`memory of each of ${readers} checkouts at once`, perReader, 64, 'MiB'),
          atMost(`p99 of a 1 KiB commit beside ${readers} checkouts`, factor, 5, '× its idle p99'),
        ],
        text: [
          `### Commits of 1 KiB, ${commits} each`,
          '',
          '| | p50 ms | p99 ms |',
          '| --- | --: | --: |',
          ...rows,
        ].join('\n'),
      };
    });
  });
}

/** Layers of one file of 1 KiB, made beforehand. */
async function smallLayers(): Promise<Buffer[]> {
  const layers: Buffer[] = [];
  for (let number = 0; number < 2 * commits; number++) {
    const pieces: Uint8Array[] = [];
    for await (const piece of layerStream({ first: files + number, files: 1, bodyBytes })) pieces.push(piece);
    layers.push(Buffer.concat(pieces));
  }
  return layers;
}

async function commitTimes(server: Server, layers: readonly Buffer[]): Promise<number[]> {
  const times: number[] = [];
  for (const body of layers) {
    const start = performance.now();
    const answer = await fetch(`${server.url}/api/v1/repos/bench/branches/main/commits?message=bench&author=bench`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(body),
    });
    if (answer.status !== 201) throw new Error(`the server did not commit: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
    times.push(performance.now() - start);
  }
  return times;
}

/** In a process of its own: here it would hold up the clock of the commits. */
function readAgainAndAgain(url: string): ChildProcess {
  return spawn('curl', ['--silent', '--output', '/dev/null', `${url}#[1-1000]`], { stdio: 'ignore' });
}

/** Reads an answer to its end and keeps nothing. */
function read(url: string): Promise<{ readonly firstByteMs: number }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    let firstByteMs = NaN;
    get(url, { agent: false }, (response) => {
      response.once('data', () => (firstByteMs = performance.now() - start));
      response.on('data', () => undefined);
      response.once('end', () => resolve({ firstByteMs }));
      response.once('error', reject);
    }).once('error', reject);
  });
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? NaN;
}
