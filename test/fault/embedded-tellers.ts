import type { VarveClient } from '#client/client';
import { isVarveError } from '#core/error';
import { layer } from '../fixture/layer-builder.js';
import { collect, randomBytesOf } from '../fixture/bytes-random.js';
import { bodyOf, clientOf } from '../journey/harness/crash-writer.js';
import { randomOf } from '../journey/harness/random.js';

const repo = 'tell/app';

/** What one of them was told of its writes, by their names. */
interface Told {
  readonly branch: string;
  readonly acknowledged: string[];
  /** With a code that says that it never takes effect. */
  readonly refused: string[];
  /** With one that does not. */
  readonly unknown: string[];
}

/** Refusals that mean that nothing was kept. Of several that nobody knew the outcome of, the first on the branch counts. */
const final: ReadonlySet<string> = new Set(['STORAGE_FULL', 'REF_STALE']);
const open: ReadonlySet<string> = new Set(['UNAVAILABLE', 'OUTCOME_UNKNOWN', 'NOT_PROJECTED']);

/**
 * Clients that commit to a branch each, words alone or a layer of up to 200 kB, and take note of what they are told
 * while the server under them cannot do what it should.
 */
export class Tellers {
  readonly codes = new Map<string, number>();
  readonly #told: readonly Told[];
  readonly #seed: number;
  #running: Promise<unknown> = Promise.resolve();
  #isOver = true;

  private constructor(clients: number, seed: number) {
    this.#seed = seed;
    this.#told = Array.from({ length: clients }, (_, i) => ({
      branch: `b${i}`,
      acknowledged: [],
      refused: [],
      unknown: [],
    }));
  }

  /** With the repository and the branches; nobody writes yet. */
  static async prepare(url: string, seed: number, clients = 4): Promise<Tellers> {
    const tellers = new Tellers(clients, seed);
    const client = clientOf(url);
    await client.createRepository(repo);
    for (const { branch } of tellers.#told) {
      await client.moveRef(repo, `refs/heads/${branch}`, { to: 'main', operation: 'branch' });
    }
    client.close();
    return tellers;
  }

  count(what: 'acknowledged' | 'refused' | 'unknown'): number {
    return this.#told.reduce((sum, told) => sum + told[what].length, 0);
  }

  start(url: string): void {
    this.#isOver = false;
    this.#running = Promise.all(this.#told.map((told, i) => this.#write(url, told, i)));
    this.#running.catch(() => (this.#isOver = true));
  }

  /** @throws what nobody should have been told */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Sends what had no clear answer once more, under its key. */
  async settle(url: string): Promise<void> {
    const client = clientOf(url);
    for (const told of this.#told) {
      for (const name of told.unknown.splice(0)) {
        const isKept = await this.#send(client, told.branch, name).then(() => true, isStale);
        (isKept ? told.acknowledged : told.refused).push(name);
      }
    }
    client.close();
  }

  /** Each branch is what was acknowledged, each once, and nothing that was refused. */
  async expectKept(url: string): Promise<void> {
    const client = clientOf(url);
    for (const { branch, acknowledged, unknown } of this.#told) {
      const messages = (await collect(client.commits(repo, { rev: branch }))).map(({ message }) => message);
      const kept = messages.filter((message) => message !== 'genesis' && !unknown.includes(message));
      expect(kept.toSorted()).toEqual(acknowledged.toSorted());
      expect(new Set(messages).size).toBe(messages.length);
    }
    client.close();
  }

  /** What is there can be read, and the bytes of a checkout are as many as it says. */
  async expectReadable(url: string): Promise<void> {
    const client = clientOf(url);
    for (const { branch } of this.#told) {
      const { download } = await client.rootfs(repo, branch);
      let bytes = 0;
      for await (const piece of download.chunks()) bytes += piece.length;
      expect(bytes).toBe(download.lengthBytes);
    }
    client.close();
  }

  async #write(url: string, told: Told, teller: number): Promise<void> {
    const client = clientOf(url);
    const { branch, acknowledged, refused, unknown } = told;
    for (let n = acknowledged.length + refused.length + unknown.length; !this.#isOver; n += 1) {
      const name = `${branch}-${n}-${teller}`;
      try {
        await this.#send(client, branch, name);
        acknowledged.push(name);
      } catch (error) {
        if (!isVarveError(error) || !(final.has(error.code) || open.has(error.code))) throw error;
        this.codes.set(error.code, (this.codes.get(error.code) ?? 0) + 1);
        (final.has(error.code) ? refused : unknown).push(name);
      }
    }
    client.close();
  }

  async #send(client: VarveClient, branch: string, name: string): Promise<void> {
    const random = randomOf(this.#seed + Buffer.from(name).reduce((sum, byte) => 31 * sum + byte, 7));
    const size = Math.floor(random() * 200_000);
    const built = random() < 0.5 ? null : layer({ [name]: randomBytesOf(size, size) }).tar;
    const commit = { layer: built && bodyOf(built), message: name, idempotencyKey: name };
    await client.commitLayer(repo, branch, commit);
  }
}

/** @throws everything else */
function isStale(error: unknown): false {
  if (isVarveError(error, 'REF_STALE')) return false;
  throw error;
}
