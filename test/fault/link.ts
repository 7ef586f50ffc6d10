import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { correlationOf, FrameCutter, requestKey } from './kafka-frames.js';

/** What goes over a link: a frame of Kafka's protocol, or whatever bytes came together. */
export interface Piece {
  readonly direction: 'request' | 'answer';
  readonly bytes: Buffer;
  /** Of Kafka: what is asked for, or was; undefined elsewhere. */
  readonly key: number | undefined;
}

/**
 * What becomes of a piece. `break`: it does not arrive, and the connection ends; `tear`: half of it arrives before;
 * `take`: it does not arrive, and the connection goes on.
 */
export type Fate = 'pass' | 'take' | 'break' | 'tear';

/** Decides on each piece; what it awaits delays the rest of the same direction. */
export type Rule = (piece: Piece) => Fate | Promise<Fate>;

/** A request that is kept from the server, whatever becomes of who sent it. */
export interface Held {
  readonly bytes: Buffer;
  /** Sends it after all, over a connection of its own; returns when the server has answered. */
  release(): Promise<void>;
}

/**
 * The way from one process to one server, on loopback: a proxy that can be cut, made silent, and told what to lose. With
 * `kafka` it knows where a request ends and which answer is whose.
 */
export class Link {
  readonly #server: Server;
  readonly #speaks: 'kafka' | 'bytes';
  readonly #connections = new Set<Connection>();
  #target = 0;
  #rules: Rule[] = [];
  #isCut = false;
  #silence: PromiseWithResolvers<void> | undefined;

  private constructor(server: Server, speaks: 'kafka' | 'bytes') {
    this.#server = server;
    this.#speaks = speaks;
  }

  /** On a free port of loopback. */
  static async open(speaks: 'kafka' | 'bytes'): Promise<Link> {
    // One side may have said all it has to say, and the other not.
    const server = createServer({ allowHalfOpen: true });
    const link = new Link(server, speaks);
    server.on('connection', (client) => link.#accept(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  aimAt(port: number): void {
    this.#target = port;
  }

  /** Every connection is reset, and so is every new one. */
  cut(): void {
    this.#isCut = true;
    this.reset();
  }

  /** What is there is reset; who tries again gets through. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Nothing arrives any more, in either direction, and nobody is told. */
  silence(): void {
    this.#silence ??= Promise.withResolvers();
  }

  /** As if nothing had been: what waited arrives, and no rule is left. */
  heal(): void {
    this.#isCut = false;
    this.#rules = [];
    this.#silence?.resolve();
    this.#silence = undefined;
  }

  /** Asked about every piece from now on; the first rule that does not let it pass wins. Returns how to end it. */
  rule(rule: Rule): () => void {
    this.#rules.push(rule);
    return () => (this.#rules = this.#rules.filter((other) => other !== rule));
  }

  /** Every piece takes so much longer. */
  delay(ms: () => number): () => void {
    return this.rule(async (): Promise<Fate> => {
      await sleep(ms());
      return 'pass';
    });
  }

  /** Keeps the next requests of that kind for as long as the rule stands. */
  hold(key: number): { readonly held: readonly Held[]; stop(): void } {
    const held: Held[] = [];
    const stop = this.rule(({ direction, key: asked, bytes }) => {
      if (direction !== 'request' || asked !== key) return 'pass';
      held.push({ bytes, release: () => this.#sendAlone(bytes) });
      return 'take';
    });
    return { held, stop };
  }

  async close(): Promise<void> {
    this.heal();
    this.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #sendAlone(bytes: Buffer): Promise<void> {
    const socket = connect(this.#target, '127.0.0.1');
    socket.write(bytes);
    await once(socket, 'data');
    socket.destroy();
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.#isCut) return void client.resetAndDestroy();
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    server.on('error', () => undefined);
    for (const socket of [client, server]) socket.setNoDelay();
    const connection = new Connection(client, server);
    this.#connections.add(connection);
    void Promise.all([
      this.#pass(connection, 'request', client, server),
      this.#pass(connection, 'answer', server, client),
    ]).finally(() => this.#connections.delete(connection));
  }

  async #pass(connection: Connection, direction: Piece['direction'], from: Socket, to: Socket): Promise<void> {
    const cutter = this.#speaks === 'kafka' ? new FrameCutter() : undefined;
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (const bytes of cutter?.push(chunk) ?? [chunk]) {
          const fate = await this.#fateOf({ direction, bytes, key: connection.keyOf(direction, bytes, cutter) });
          if (fate === 'tear') await written(to, bytes.subarray(0, bytes.length >> 1));
          if (fate === 'break' || fate === 'tear') return connection.reset();
          if (fate === 'pass') await written(to, bytes);
        }
      }
      await this.#silence?.promise;
      to.end();
    } catch {
      connection.reset();
    }
  }

  async #fateOf(piece: Piece): Promise<Fate> {
    let fate: Fate = 'pass';
    for (const rule of this.#rules) {
      fate = await rule(piece);
      if (fate !== 'pass') break;
    }
    await this.#silence?.promise;
    return fate;
  }
}

/** Two sockets that end together. */
class Connection {
  readonly #sockets: readonly Socket[];
  readonly #asked = new Map<number, number>();

  constructor(...sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  /** Of an answer: what its request asked for. */
  keyOf(direction: Piece['direction'], bytes: Buffer, cutter: FrameCutter | undefined): number | undefined {
    if (!cutter) return undefined;
    const correlation = correlationOf(bytes, direction);
    if (direction === 'request') this.#asked.set(correlation, requestKey(bytes));
    const key = this.#asked.get(correlation);
    if (direction === 'answer') this.#asked.delete(correlation);
    return key;
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

async function written(to: Socket, bytes: Buffer): Promise<void> {
  if (to.write(bytes)) return;
  await Promise.race([once(to, 'drain'), once(to, 'close')]);
}
