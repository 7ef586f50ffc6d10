import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A plain TCP proxy before a server that cuts connections as a bad network does: each rule cuts one connection after so
 * many bytes of answer. Without a rule left it lets everything pass.
 */
export interface CuttingProxy {
  readonly url: string;
  /** Connections it has taken. */
  readonly connections: number;
  close(): Promise<void>;
}

export async function cuttingProxy(serverUrl: string, cutAfterBytes: readonly number[]): Promise<CuttingProxy> {
  const port = Number(new URL(serverUrl).port);
  const rules = [...cutAfterBytes];
  const open = new Set<Socket>();
  let connections = 0;
  const proxy = createServer((client) => {
    connections++;
    const cutAfter = rules.shift() ?? Number.POSITIVE_INFINITY;
    const server = connect(port, '127.0.0.1');
    open.add(client).add(server);
    pass(client, server, Number.POSITIVE_INFINITY);
    pass(server, client, cutAfter);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

function pass(from: Socket, to: Socket, cutAfter: number): void {
  let passed = 0;
  from.on('data', (chunk: Buffer) => {
    const allowed = chunk.subarray(0, Math.max(cutAfter - passed, 0));
    passed += chunk.length;
    if (!to.write(allowed)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
    if (passed >= cutAfter) {
      from.destroy();
      to.destroySoon();
    }
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroySoon());
}
