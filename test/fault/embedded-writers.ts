import { parsePosition } from '#core/position';
import type { VarveClient } from '#client/client';
import { isVarveError } from '#core/error';
import { layer } from '../fixture/layer-builder.js';
import { randomBytesOf } from '../fixture/bytes-random.js';
import { bodyOf, clientOf } from '../journey/harness/crash-writer.js';

/** Where they write. */
export const writtenRepo = 'written/app';

/**
 * Clients that commit to branches of their own as fast as they are answered: mostly words alone, now and then a layer.
 */
export class Writers {
  /** The newest record that somebody was told of. */
  acknowledged = -1;
  readonly #clients: readonly VarveClient[];
  readonly #running: Promise<void>;
  #isOver = false;

  private constructor(url: string, clients: number) {
    this.#clients = Array.from({ length: clients }, () => clientOf(url));
    this.#running = Promise.all(this.#clients.map((client, i) => this.#write(client, `w${i}`))).then(() => undefined);
  }

  /** Makes the repository and its branches if need be. */
  static async start(url: string, clients = 6): Promise<Writers> {
    const client = clientOf(url);
    await client.createRepository(writtenRepo, { idempotencyKey: 'create' });
    for (let i = 0; i < clients; i += 1) {
      const move = { to: 'main', operation: 'branch', idempotencyKey: `branch-w${i}` } as const;
      await client.moveRef(writtenRepo, `refs/heads/w${i}`, move);
    }
    client.close();
    return new Writers(url, clients);
  }

  /** When what is on its way is answered. @throws what a server that runs should not have said */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    for (const client of this.#clients) client.close();
  }

  async #write(client: VarveClient, branch: string): Promise<void> {
    try {
      for (let n = 0; !this.#isOver; n += 1) {
        const built = n % 20 === 7 ? layer({ [`${branch}-${n}`]: randomBytesOf(n, 5_000) }).tar : null;
        const commit = { layer: built && bodyOf(built), message: `${branch} ${n}` };
        const { position } = await client.commitLayer(writtenRepo, branch, commit);
        this.acknowledged = Math.max(this.acknowledged, parsePosition(position).offset);
      }
    } catch (error) {
      // One that was killed says nothing more.
      if (!isVarveError(error, 'UNAVAILABLE')) throw error;
    }
  }
}
