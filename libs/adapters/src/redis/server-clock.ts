import type { Redis } from 'ioredis';
import type { Clock } from '#ports/clock';

const lookEveryMs = 60_000;

/**
 * The server's time, told by our own clock and how far that is off: looked at once a minute, so that processes on machines
 * whose clocks differ agree on when a lease is over.
 */
export class ServerClock implements Clock {
  readonly #client: Redis;
  readonly #local: Clock;
  readonly #timer: NodeJS.Timeout;
  #aheadMs = 0;

  private constructor(client: Redis, local: Clock) {
    this.#client = client;
    this.#local = local;
    // While the server is away the last look is good enough.
    this.#timer = setInterval(() => void this.#look().catch(() => undefined), lookEveryMs).unref();
  }

  static async of(client: Redis, local: Clock): Promise<ServerClock> {
    const clock = new ServerClock(client, local);
    await clock.#look();
    return clock;
  }

  now(): number {
    return this.#local.now() + this.#aheadMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const before = this.#local.now();
    const [seconds, micros] = await this.#client.time();
    const onTheWayMs = (this.#local.now() - before) / 2;
    this.#aheadMs = Math.round(Number(seconds) * 1_000 + Number(micros) / 1_000 - before - onTheWayMs);
  }
}
