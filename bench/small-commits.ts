import { Agent, request } from 'node:http';
import { randomFillSync } from 'node:crypto';
import { headerBytes, newHeader, padded, writeHeader } from '#tar/tar-header';

export interface Load {
  readonly url: string;
  readonly clients: number;
  /** Of all clients together. */
  readonly commits: number;
}

/** What one run of small commits took. */
export interface Loaded {
  readonly perSecond: number;
  /** One for each commit, ms. */
  readonly times: readonly number[];
}

const repositories = 4;
const bodyBytes = 1024;
let layersMade = 0;

/** Makes four repositories with a branch for each client, whose number says which repository it works in. */
export async function prepare({ url, clients }: Pick<Load, 'url' | 'clients'>): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const json = { 'content-type': 'application/json' };
  for (let repo = 0; repo < repositories; repo++) {
    await send(agent, `${url}/api/v1/repos`, {
      method: 'POST',
      headers: json,
      body: Buffer.from(`{"repo":"bench${repo}"}`),
    });
  }
  for (let client = 0; client < clients; client++) {
    const ref = encodeURIComponent(`refs/heads/c${client}`);
    const body = Buffer.from('{"to":"main"}');
    await send(agent, `${url}/api/v1/repos/bench${client % repositories}/refs/${ref}`, {
      method: 'PUT',
      headers: json,
      body,
    });
  }
  agent.destroy();
}

/**
 * Each client puts one layer of 1 KiB after the other on a branch of its own, over one connection, and waits for each
 * answer: the commit is durable and projected then. Layers are made beforehand.
 */
export async function commitSmall({ url, clients, commits }: Load): Promise<Loaded> {
  const layers = Array.from({ length: commits }, () => smallLayer(layersMade++));
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  const begunAt = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const path = `${url}/api/v1/repos/bench${client % repositories}/branches/c${client}/commits?message=step&author=bench`;
      const headers = { 'content-type': 'application/x-tar' };
      for (let body = layers.pop(); body; body = layers.pop()) {
        const start = performance.now();
        await send(agent, path, { method: 'POST', headers, body });
        times.push(performance.now() - start);
      }
    }),
  );
  const seconds = (performance.now() - begunAt) / 1e3;
  agent.destroy();
  return { perSecond: commits / seconds, times };
}

function send(
  agent: Agent,
  url: string,
  {
    method,
    headers,
    body,
  }: { readonly method: string; readonly headers: Record<string, string>; readonly body: Buffer },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method, headers: { ...headers, 'content-length': body.length } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () => {
        if (answer.statusCode === 201 || answer.statusCode === 200) resolve();
        else
          reject(new Error(`${method} ${url} was answered ${answer.statusCode}: ${Buffer.concat(chunks).toString()}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

function smallLayer(number: number): Buffer {
  const header = newHeader();
  header.mode = 0o644;
  header.size = bodyBytes;
  header.path = Buffer.from(`srv/step-${number}`);
  header.pathLength = header.path.length;
  const length = headerBytes(header);
  const tar = Buffer.alloc(length + padded(bodyBytes) + 1024);
  const bodyAt = writeHeader(header, tar, 0);
  randomFillSync(tar, bodyAt, bodyBytes);
  return tar;
}
