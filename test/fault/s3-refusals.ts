import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Hands every request on to an object store, but for those that `refuses` picks: they are answered 503, as by one that is overloaded. */
export class S3Refusals {
  readonly #server: Server;
  refuses: (message: IncomingMessage) => boolean = () => false;
  refused = 0;

  private constructor(target: string) {
    const { hostname, port } = new URL(target);
    this.#server = createServer((incoming, outgoing) => {
      const { method, url: path, headers } = incoming;
      if (this.refuses(incoming)) {
        this.refused += 1;
        incoming.resume();
        const body = '<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>';
        return void outgoing.writeHead(503, { 'content-type': 'application/xml' }).end(body);
      }
      const passed = request({ hostname, port, method, path, headers }, (answer) => {
        answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers));
      });
      passed.once('error', () => incoming.socket.destroy());
      incoming.once('close', () => incoming.complete || passed.destroy());
      return void incoming.pipe(passed);
    });
  }

  static async before(target: string): Promise<S3Refusals> {
    const refusals = new S3Refusals(target);
    await once(refusals.#server.listen(0, '127.0.0.1'), 'listening');
    return refusals;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
