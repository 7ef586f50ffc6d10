import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A plain TCP proxy before a server, as bad as a network can be. */
export interface BadNetwork {
  readonly url: string;
  /** Connections it has taken. */
  readonly connections: number;
  close(): Promise<void>;
}

/** Cuts one connection for each rule, after so many bytes of answer; without a rule left it lets everything pass. */
export function cuttingProxy(serverUrl: string, cutAfterBytes: readonly number[]): Promise<BadNetwork> {
  return openProxy(serverUrl, { down: cuts(cutAfterBytes), up: nothing });
}

/** The same on the way up: after so many bytes of request. */
export function uploadCuttingProxy(serverUrl: string, cutAfterBytes: readonly number[]): Promise<BadNetwork> {
  return openProxy(serverUrl, { down: nothing, up: cuts(cutAfterBytes) });
}

function cuts(afterBytes: readonly number[]): () => Rule {
  const rules = [...afterBytes];
  return () => ({ afterBytes: rules.shift() ?? Number.POSITIVE_INFINITY, how: 'cut' });
}

/** Lets so many bytes of each answer pass, and then holds still without a word. */
export function stallingProxy(serverUrl: string, afterBytes: number): Promise<BadNetwork> {
  return openProxy(serverUrl, { down: () => ({ afterBytes, how: 'stall' }), up: nothing });
}

interface Rule {
  readonly afterBytes: number;
  readonly how: 'cut' | 'stall';
}

const nothing = (): Rule => ({ afterBytes: Number.POSITIVE_INFINITY, how: 'cut' });

async function openProxy(serverUrl: string, { down, up }: { down: () => Rule; up: () => Rule }): Promise<BadNetwork> {
  const port = Number(new URL(serverUrl).port);
  const open = new Set<Socket>();
  let connections = 0;
  const proxy = createServer((client) => {
    connections++;
    const server = connect(port, '127.0.0.1');
    open.add(client).add(server);
    pass(client, server, up());
    pass(server, client, down());
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

function pass(from: Socket, to: Socket, { afterBytes, how }: Rule): void {
  let passed = 0;
  from.on('data', (chunk: Buffer) => {
    const allowed = chunk.subarray(0, Math.max(afterBytes - passed, 0));
    passed += chunk.length;
    if (!to.write(allowed)) {
      from.pause();
      to.once('drain', () => passed < afterBytes && from.resume());
    }
    if (passed >= afterBytes && how === 'stall') from.pause();
    if (passed >= afterBytes && how === 'cut') {
      from.destroy();
      to.destroySoon();
    }
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroySoon());
}
