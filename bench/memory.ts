import { get, request } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { RefName } from '#core/name';
import { layerStackOf } from '#ports/read-stack';
import { planRootfs } from '#union/rootfs-plan';
import { treeBytes } from '#union/rootfs-tree';
import { atMost, type Found } from './aim.js';
import { commitSynthetic, inScratch, makeRepository, repo, withEngine } from './history.js';
import { layerStream } from './layer-stream.js';
import { withServer } from './server.js';

const layers = 10;
const bodyBytes = 10_240;
const mebibyte = 2 ** 20;

/**
 * What memory does the checkout of a huge image take, alone and three at once? Takes how many entries; 1,000,000 are
 * 10 GiB. The server starts anew for each and does nothing else.
 */
export async function benchMemory(given = '1000000'): Promise<Found> {
  const entries = Number(given);
  return inScratch(async (scratch) => {
    const data = join(scratch, 'data');
    const perEntry = await withEngine(data, async (engine) => {
      await makeRepository(engine);
      const files = entries / layers;
      for (let layer = 0; layer < layers; layer++)
        await commitSynthetic(engine, { first: layer * files, files, bodyBytes });
      const { graph, trees } = engine;
      const { commit: id } = (await graph.ref(repo, 'refs/heads/main' as RefName))!;
      const tree = await trees.tree(repo, await layerStackOf(graph, trees, (await graph.commit(repo, id!))!));
      const plan = planRootfs(tree);
      const planBytes = plan.startBlock.byteLength + plan.parent.byteLength + plan.linkedNode.byteLength * 2;
      return (treeBytes(tree) + planBytes - tree.names.byteLength) / tree.nodeCount;
    });
    const one = await peak(data, 1);
    const three = await peak(data, 3);
    const whole = await peakOfCommits(join(scratch, 'whole'), entries, 1);
    const parts = await peakOfCommits(join(scratch, 'parts'), entries, 4);
    const what = `a checkout of ${entries} entries, ${((entries * (bodyBytes + 512)) / 2 ** 30).toFixed(1)} GiB`;
    return {
      aims: [
        atMost(`plan of ${entries} entries, beside their names`, perEntry, 150, 'B an entry'),
        atMost(`memory of the server during ${what}`, one, 300, 'MiB'),
        atMost('… during three at once', three, 600, 'MiB'),
        atMost(`memory of the server while it takes in one layer of ${entries} files`, whole, 300, 'MiB'),
        atMost(`… and four layers of ${entries / 4} files`, parts, 300, 'MiB'),
      ],
      text: `### Memory\n\nThe most memory the server had (VmHWM): ${one.toFixed(0)} MiB during ${what}; ${three.toFixed(0)} MiB during three at once; ${whole.toFixed(0)} MiB while it took in one layer of ${entries} files, and ${parts.toFixed(0)} MiB for four of a quarter.`,
    };
  });
}

function peak(data: string, checkouts: number): Promise<number> {
  return withServer(data, async (server) => {
    const rootfs = `${server.url}/api/v1/repos/bench/commits/main/rootfs.tar`;
    await Promise.all(Array.from({ length: checkouts }, () => readAway(rootfs)));
    return server.memory().peakBytes / mebibyte;
  });
}

/** The most memory of a new server on which `entries` files are committed in so many layers. */
async function peakOfCommits(data: string, entries: number, count: number): Promise<number> {
  await withEngine(data, makeRepository);
  return withServer(data, async (server) => {
    const files = Math.floor(entries / count);
    const url = `${server.url}/api/v1/repos/bench/branches/main/commits?message=bench&author=bench`;
    for (let layer = 0; layer < count; layer++) {
      await post(url, layerStream({ first: layer * files, files, bodyBytes: 100 }));
    }
    return server.memory().peakBytes / mebibyte;
  });
}

function post(url: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream' };
    const sending = request(url, { method: 'POST', agent: false, headers }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 201) resolve();
        else reject(new Error(`the server did not commit: ${response.statusCode}`));
      });
    });
    sending.once('error', reject);
    pipeline(body, sending).catch(reject);
  });
}

function readAway(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.resume().once('end', resolve).once('error', reject);
    }).once('error', reject);
  });
}
