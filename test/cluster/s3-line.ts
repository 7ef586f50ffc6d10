import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Asked = (message: IncomingMessage) => boolean;

/** Hands every request on to the server; the first that `isLost` knows is done, and its answer never comes back. */
export class Line {
  readonly #server: Server;
  isLost: Asked = () => false;
  /** `PUT /bucket/key`, in their order. */
  readonly asked: string[] = [];
  lost = 0;

  constructor(target: string) {
    this.#server = createServer((incoming, outgoing) => {
      const { hostname, port } = new URL(target);
      const isLost = this.lost === 0 && this.isLost(incoming);
      if (isLost) this.lost += 1;
      const { method, url: path, headers } = incoming;
      this.asked.push(`${method} ${path}`);
      const passed = request({ hostname, port, method, path, headers }, (answer) => {
        if (isLost) answer.resume().once('end', () => incoming.socket.destroy());
        else answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers));
      });
      passed.once('error', () => incoming.socket.destroy());
      incoming.pipe(passed);
    });
  }

  async open(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
