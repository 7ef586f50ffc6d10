import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { VarveClient } from '#client/client';
import { neverRetry } from '#client/retry';
import type { RequestBody } from '#client/transport';
import { isVarveError } from '#core/error';
import { collectBytes } from '../fixture/bytes-random.js';
import { projectRoot, type Server, startServer } from './harness/server.js';
import { type Stored, storedIn } from './harness/stored.js';

/** The catalogue of the union, as test/golden keeps it: here each case goes through the door, the log and the store. */
interface Case {
  readonly name: string;
  readonly layers: readonly { readonly tar: string; readonly blob?: string }[];
  readonly expect: { readonly tarBase64: string } | { readonly reject: string };
}

const { cases } = JSON.parse(gunzipSync(readFileSync(join(projectRoot, 'test/golden/cases.json.gz'))).toString()) as {
  readonly cases: readonly Case[];
};

let server: Server;
let client: VarveClient;
beforeAll(async () => {
  server = await startServer();
  client = new VarveClient({ server: server.url, actor: 'catalogue', retry: neverRetry });
  await client.createRepository('cases');
});
afterAll(async () => {
  client?.close();
  await server?.stop();
});

let serial = 0;

/** A branch of its own from genesis, and the case's layers on it, as they were compressed. */
async function commitLayers(layers: Case['layers']): Promise<string> {
  const branch = `case-${++serial}`;
  await client.moveRef('cases', `refs/heads/${branch}`, { to: 'main', operation: 'branch' });
  for (const [i, { tar, blob }] of layers.entries()) {
    await client.commitLayer('cases', branch, { layer: bodyOf(blob ?? tar), message: `layer ${i}` });
  }
  return branch;
}

function bodyOf(base64: string): RequestBody {
  const bytes = Buffer.from(base64, 'base64');
  return {
    contentType: 'application/octet-stream',
    sizeBytes: null,
    repeatable: true,
    open: async function* () {
      yield bytes;
    },
  };
}

it('has the whole catalogue', () => {
  expect(cases).toHaveLength(208);
});

it('checks out every tree of the catalogue byte for byte', async () => {
  const wrong: string[] = [];
  for (const { name, layers, expect: expected } of cases) {
    if ('reject' in expected) continue;
    const { download } = await client.rootfs('cases', await commitLayers(layers));
    const tar = await collectBytes(download.chunks());
    if (!tar.equals(Buffer.from(expected.tarBase64, 'base64'))) wrong.push(name);
  }
  expect(wrong).toEqual([]);
});

it('refuses every layer that the catalogue refuses, and keeps nothing of it', async () => {
  const accepted: string[] = [];
  for (const { name, layers, expect: expected } of cases) {
    if ('tarBase64' in expected) continue;
    const branch = await commitLayers(layers.slice(0, -1));
    const before = await everything();
    const layer = bodyOf(layers.at(-1)?.blob ?? layers.at(-1)?.tar ?? '');
    const error: unknown = await client
      .commitLayer('cases', branch, { layer, message: 'never' })
      .catch((thrown: unknown) => thrown);
    if (!isVarveError(error, 'LAYER_INVALID') && !isVarveError(error, 'LIMIT_EXCEEDED'))
      accepted.push(`${name}: ${String(error)}`);
    expect({ name, ...(await everything()) }).toEqual({ name, ...before });
  }
  expect(accepted).toEqual([]);
});

async function everything(): Promise<{ state: unknown; stored: Stored }> {
  const stored = await storedIn(server.data);
  expect(stored.staging).toEqual([]);
  return { state: await client.state(), stored };
}
