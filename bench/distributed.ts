import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'minio';
import { absent, atLeastSo, atMost, type Found } from './aim.js';
import { type Server, startApp, startServer } from './server.js';
import { commitSmall, type Loaded, prepare } from './small-commits.js';

const root = join(import.meta.dirname, '..');
const clients = 32;
const warmUp = 400;
const alone = 300;
const bucket = 'varve-bench';
const aims = [
  ['small commits, 32 clients, REST → Kafka → Redis and S3', '≥ 500 /s'],
  ['small commits, one client, the same', 'p50 ≤ 15 ms'],
] as const;

/**
 * Small commits, one 1 KiB layer each, through REST: into one process on files, and into a gateway and a projector on
 * Kafka, Redis and MinIO, all on this machine, beside the clients. Takes how many.
 */
export async function benchDistributed(given = '3000'): Promise<Found> {
  const commits = Number(given);
  const rows = [row('one process, SQLite and files', await measureEmbedded(commits))];
  const state = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  const services = (...args: string[]) =>
    promisify(execFile)(join(root, 'scripts/services.sh'), args, {
      env: { ...process.env, VARVE_SERVICES_STATE: state },
    });
  try {
    await services('up', 'kafka', 'redis', 'minio');
  } catch (error) {
    rmSync(state, { recursive: true });
    const why =
      String((error as { stderr?: unknown }).stderr ?? error)
        .trim()
        .split('\n')
        .at(-1) ?? 'it did not start';
    return { aims: aims.map(([what]) => absent(what, 'Kafka, Redis and MinIO', why)), text: tableOf(commits, rows) };
  }
  try {
    const measured = await measureDistributed((await services('env')).stdout, commits);
    rows.push(row('gateway and projector, Kafka, Redis, MinIO', measured));
    return {
      aims: [
        atLeastSo(aims[0][0], measured.together.perSecond, 500, 'commits/s'),
        atMost(`${aims[1][0]}, p50`, percentile(measured.single.times, 0.5), 15, 'ms'),
      ],
      text: tableOf(commits, rows),
    };
  } finally {
    await services('down');
    rmSync(state, { recursive: true, force: true });
  }
}

interface Measured {
  readonly together: Loaded;
  readonly single: Loaded;
}

async function measureEmbedded(commits: number): Promise<Measured> {
  const data = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  const server = await startServer(data);
  try {
    return await measure(server, commits);
  } finally {
    await server.stop();
    rmSync(data, { recursive: true });
  }
}

async function measureDistributed(environment: string, commits: number): Promise<Measured> {
  const given = Object.fromEntries(environment.split('\n').map((line) => line.split(/=(.*)/s) as [string, string]));
  const name = `bench${randomBytes(4).toString('hex')}`;
  const endpoint = given['VARVE_TEST_S3'] ?? '';
  await makeBucket(endpoint, given);
  const env = {
    VARVE_EVENT_LOG: `kafka://${given['VARVE_TEST_KAFKA']}/${name}?partitions=4`,
    VARVE_GRAPH: `${given['VARVE_TEST_REDIS']}?prefix=${name}`,
    VARVE_BLOB_STORE: `s3://${bucket}/${name}?endpoint=${endpoint}`,
    AWS_ACCESS_KEY_ID: given['AWS_ACCESS_KEY_ID'] ?? '',
    AWS_SECRET_ACCESS_KEY: given['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
  const [gateway, projector] = await Promise.all([startApp('gateway', env), startApp('projector', env)]);
  try {
    return await measure(gateway, commits);
  } finally {
    await Promise.all([gateway.stop(), projector.stop()]);
  }
}

async function measure({ url }: Server, commits: number): Promise<Measured> {
  await prepare({ url, clients });
  await commitSmall({ url, clients, commits: warmUp });
  const together = await commitSmall({ url, clients, commits });
  return { together, single: await commitSmall({ url, clients: 1, commits: alone }) };
}

async function makeBucket(endpoint: string, given: Readonly<Record<string, string>>): Promise<void> {
  const { hostname, port } = new URL(endpoint);
  const [accessKey = '', secretKey = ''] = [given['AWS_ACCESS_KEY_ID'], given['AWS_SECRET_ACCESS_KEY']];
  await new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey }).makeBucket(bucket);
}

function row(what: string, { together, single }: Measured): string {
  const cells = [
    together.perSecond.toFixed(0),
    percentile(together.times, 0.5).toFixed(1),
    percentile(together.times, 0.99).toFixed(1),
    percentile(single.times, 0.5).toFixed(1),
    percentile(single.times, 0.99).toFixed(1),
  ];
  return `| ${[what, ...cells].join(' | ')} |`;
}

function tableOf(commits: number, rows: readonly string[]): string {
  return [
    `### Small commits, ${commits} of one 1 KiB layer each, through REST`,
    '',
    `Load of the machine meanwhile: ${spawnSync('cat', ['/proc/loadavg']).stdout.toString().split(' ')[0]}.`,
    '',
    '| | 32 clients, commits/s | p50 ms | p99 ms | one client, p50 ms | p99 ms |',
    '| --- | --: | --: | --: | --: | --: |',
    ...rows,
  ].join('\n');
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? NaN;
}
