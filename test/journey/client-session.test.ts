import { setTimeout as pause } from 'node:timers/promises';
import type { WatchedEvent } from '#client/answer';
import { VarveClient } from '#client/client';
import type { TransferProgress } from '#client/transfer';
import type { RequestBody } from '#client/transport';
import { isVarveError } from '#core/error';
import { layer } from '../fixture/layer-builder.js';
import { cuttingProxy, uploadCuttingProxy } from './harness/bad-network.js';
import { type Server, startServer } from './harness/server.js';

const large = layer({ large: Buffer.alloc(3 << 20, 'x') }).tar;
const pieceBytes = 1 << 16;

let server: Server;
let client: VarveClient;
const warnings: string[] = [];
const warned = ({ name, message }: Error): void => void warnings.push(`${name}: ${message}`);
beforeAll(async () => {
  process.on('warning', warned);
  server = await startServer();
  client = new VarveClient({ server: server.url, actor: 'ann' });
  await client.createRepository('app');
});
afterAll(async () => {
  process.off('warning', warned);
  client.close();
  await server.stop();
});

/** A body that can be read again, in small pieces. */
function body(bytes: Buffer): RequestBody & { opened: number } {
  return {
    contentType: 'application/octet-stream',
    sizeBytes: bytes.length,
    repeatable: true,
    opened: 0,
    async *open() {
      this.opened += 1;
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    },
  };
}

describe('a client within limits', () => {
  it('ends what takes longer than its deadline, and goes on itself', async () => {
    const soon = client.within({ deadlineMs: 300 });
    await expect(all(soon.watch('app'))).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(soon.refs('app')).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await client.refs('app')).length).toBe(1);
  });

  it('ends with the signal of the caller', async () => {
    const left = new AbortController();
    const watching = all(client.within({ signal: left.signal, deadlineMs: 60_000 }).watch('app'));
    left.abort();
    await expect(watching).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('tells how far an upload and a download are, and shares what it has seen', async () => {
    const told: TransferProgress[] = [];
    const telling = client.within({ onProgress: (progress) => told.push(progress) });
    const made = await telling.commitLayer('app', 'main', { layer: body(large), message: 'large' });
    expect(client.position).toBe(made.position);
    const up = told.splice(0);
    expect(up.at(-1)).toEqual({ direction: 'up', doneBytes: large.length, totalBytes: large.length });
    expect(up.length).toBe(Math.ceil(large.length / pieceBytes));

    const { download } = await telling.rootfs('app', 'main');
    let bytes = 0;
    for await (const chunk of download.chunks()) bytes += chunk.length;
    expect(told.at(-1)).toEqual({ direction: 'down', doneBytes: bytes, totalBytes: download.lengthBytes });
    const done = told.map(({ doneBytes }) => doneBytes);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  });
});

describe('an upload whose connection breaks', () => {
  it('is sent again from its start under its key, and is one commit', async () => {
    const proxy = await uploadCuttingProxy(server.url, [1 << 20, 2 << 20]);
    const through = new VarveClient({ server: proxy.url, actor: 'ann' });
    const [before] = await all(client.commits('app'), 1);
    const upload = body(large);
    const made = await through.commitLayer('app', 'main', { layer: upload, message: 'through a bad network' });
    expect(upload.opened).toBe(3);
    const [tip, parent] = await all(client.commits('app'), 2);
    expect([tip?.id, parent?.id]).toEqual([made.commit, before?.id]);
    through.close();
    await proxy.close();
  });

  it('leaves no listener behind, however many there are at once and one after the other', async () => {
    const layers = Array.from({ length: 24 }, (_, i) => layer({ [`f${i}`]: Buffer.alloc(300_000, i) }).tar);
    await Promise.all(
      layers.map((tar, i) => retried(() => client.commitLayer('app', 'main', { layer: body(tar), message: `${i}` }))),
    );
    expect(warnings).toEqual([]);
    expect(server.output()).not.toContain('MaxListenersExceededWarning');
  });

  /** Others may move the branch first. */
  async function retried(commit: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await commit();
        return;
      } catch (error) {
        if (!isVarveError(error, 'REF_STALE')) throw error;
      }
    }
  }
});

describe('a watch', () => {
  it('goes on where its connection was cut, and tells every event once', async () => {
    const proxy = await cuttingProxy(server.url, [600, 1_500, 3_000]);
    const through = new VarveClient({ server: proxy.url, actor: 'ann' });
    const expected = (await all(client.watch('app', { after: 'start' }), 6)).map(({ position }) => position);
    const seen = (await all(through.watch('app', { after: 'start' }), 6)).map(({ position }) => position);
    expect(seen).toEqual(expected);
    const later = client.watch('app', { after: seen[2] });
    expect((await later.next()).value).toMatchObject({ position: seen[3], outcome: 'accepted' });
    await later.return(undefined);
    through.close();
    await proxy.close();
  });

  it('tells of what comes only when it is there', async () => {
    const coming = client.watch('app').next();
    await pause(100);
    const made = await client.commitLayer('app', 'main', { layer: null, message: 'just now' });
    const { value } = (await coming) as { value: WatchedEvent };
    expect([value.position, value.commits]).toEqual([made.position, [made.commit]]);
  });
});

async function all<T>(source: AsyncIterable<T>, most = Number.POSITIVE_INFINITY): Promise<T[]> {
  const found: T[] = [];
  for await (const one of source) if (found.push(one) >= most) break;
  return found;
}
