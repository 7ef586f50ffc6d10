import { VarveClient } from '#client/client';
import { neverRetry } from '#client/retry';
import type { RequestBody } from '#client/transport';
import { isVarveError } from '#core/error';
import { archiveOf, dockerArchive } from '../../fixture/archive-builder.js';
import { randomBytesOf } from '../../fixture/bytes-random.js';
import { layer } from '../../fixture/layer-builder.js';
import { baseLayer } from './archives.js';

/** A write that was sent: its key, and what sending it once more does. */
export interface Sent {
  readonly name: string;
  readonly idempotencyKey: string;
  send(client: VarveClient): Promise<string>;
}

/** What one writer knows of its own history: the writes that were acknowledged, in order, and the one that was under way. */
export class CrashWriter {
  readonly acknowledged: { readonly name: string; readonly commit: string }[] = [];
  inFlight: Sent | undefined;
  readonly #next: (number: number) => Sent;
  #count = 0;

  constructor(next: (number: number) => Sent) {
    this.#next = next;
  }

  /** Writes one after the other until the server is gone. @throws what is no lost connection */
  async run(url: string): Promise<void> {
    const client = clientOf(url);
    try {
      for (;;) await this.#write(client, this.#next(this.#count++));
    } catch (error) {
      if (!isVarveError(error, 'UNAVAILABLE')) throw error;
    } finally {
      client.close();
    }
  }

  /** Sends the write that had no answer again, under its key: it takes effect once, whatever became of it. */
  async settle(url: string): Promise<void> {
    const client = clientOf(url);
    try {
      if (this.inFlight) await this.#write(client, this.inFlight);
    } finally {
      client.close();
    }
  }

  async #write(client: VarveClient, sent: Sent): Promise<void> {
    this.inFlight = sent;
    const commit = await sent.send(client);
    this.acknowledged.push({ name: sent.name, commit });
    this.inFlight = undefined;
  }
}

export function clientOf(url: string): VarveClient {
  return new VarveClient({ server: url, actor: 'crash', retry: neverRetry });
}

/** Commits on one branch; each adds one file that no other has, of up to 300 kB. */
export function branchWriter(repo: string, branch: string, seed: number): CrashWriter {
  return new CrashWriter((number) => {
    const name = `${branch}-${number}`;
    const built = layer({ [name]: fileOf(seed, number) }, number % 2 === 0 ? 'gzip' : 'none');
    return {
      name,
      idempotencyKey: `${repo}-${name}`,
      send: async (client) => {
        const commit = { layer: bodyOf(built.blob), message: name, idempotencyKey: `${repo}-${name}` };
        return (await client.commitLayer(repo, branch, commit)).commit;
      },
    };
  });
}

/** Loads, each into a repository of its own, of an image with a shared base and one more layer. */
export function loadWriter(prefix: string, seed: number): CrashWriter {
  return new CrashWriter((number) => {
    const repo = `${prefix}/${number}`;
    const top = layer({ [`top-${number}`]: fileOf(seed, number) }, 'gzip');
    const image = {
      steps: [
        { layer: baseLayer, createdBy: 'base' },
        { layer: top, createdBy: 'top' },
      ],
      names: ['x:latest'],
    };
    const bytes = archiveOf(dockerArchive([image]));
    return {
      name: repo,
      idempotencyKey: repo,
      send: async (client) => {
        const report = await client.loadArchive(repo, {
          archive: bodyOf(bytes),
          moveTags: false,
          idempotencyKey: repo,
        });
        return report.images[0]?.commit ?? '';
      },
    };
  });
}

export function fileOf(seed: number, number: number): Buffer {
  const bytes = randomBytesOf(seed + number, 4);
  return randomBytesOf(seed * 1000 + number, bytes.readUInt32LE() % 300_000);
}

export function bodyOf(bytes: Buffer): RequestBody {
  return {
    contentType: 'application/x-tar',
    sizeBytes: bytes.length,
    repeatable: true,
    open: async function* () {
      // Small pieces, so that a kill finds uploads half done.
      for (let at = 0; at < bytes.length; at += 16_384) yield bytes.subarray(at, at + 16_384);
    },
  };
}
