import { digestOf, type DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobReader } from '#ports/blob-store';
import { LayerScanner } from '#tar/layer-scanner';
import { mergeLayer } from '#union/merge-trees';
import { planRootfs, type RootfsPlan } from '#union/rootfs-plan';
import { emptyTree } from '#union/rootfs-tree';
import { type RawEntry, rawTar } from '../../../test/fixture/raw-tar.js';
import { writeRootfs } from './write-rootfs.js';

/** Layers in memory that tell how they are used. */
class Layers {
  readonly plan: RootfsPlan;
  readonly #tars = new Map<DiffId, Buffer>();
  opened = 0;
  open = 0;
  openMost = 0;
  reads = 0;

  constructor(...layers: readonly (readonly RawEntry[])[]) {
    let tree = emptyTree;
    for (const entries of layers) {
      const tar = rawTar(entries);
      const diffId = digestOf(tar) as DiffId;
      const scanner = new LayerScanner();
      scanner.push(tar);
      tree = mergeLayer(tree, { diffId, index: scanner.finish() });
      this.#tars.set(diffId, tar);
    }
    this.plan = planRootfs(tree);
  }

  /** What the stored bytes become before they are opened. */
  damage: (tar: Buffer) => Buffer = (tar) => tar;

  readonly openLayer = async (diffId: DiffId): Promise<BlobReader> => {
    const tar = this.damage(this.#tars.get(diffId)!);
    this.opened++;
    this.openMost = Math.max(this.openMost, ++this.open);
    return {
      size: tar.length,
      // Never more than 100,000 bytes at once: a reader may give fewer than it is asked for.
      read: async (target, position) => {
        this.reads++;
        return tar.copy(target, 0, position, Math.min(tar.length, position + 100_000));
      },
      close: async () => void this.open--,
    };
  };
}

async function chunksOf(layers: Layers, range?: { from: number; to: number }): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeRootfs(layers.plan, layers.openLayer, range)) chunks.push(chunk);
  return chunks;
}

const body = (seed: number, bytes: number): string => String.fromCharCode(97 + (seed % 26)).repeat(bytes);
const files = (count: number, bytes: number): RawEntry[] =>
  Array.from({ length: count }, (_, i) => ({ name: `f${String(i).padStart(5, '0')}`, body: body(i, bytes) }));

describe('writeRootfs', () => {
  it('writes the tar again that a canonical writer wrote, in large chunks', async () => {
    const entries = [...files(300, 9000), { name: 'g', body: body(3, 3_000_000) }];
    const layers = new Layers(entries);
    const chunks = await chunksOf(layers);
    expect(Buffer.concat(chunks).equals(rawTar(entries))).toBe(true);
    for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBeGreaterThanOrEqual(256 << 10);
    expect([layers.opened, layers.open]).toEqual([1, 0]);
  });

  it('reads small neighbours together, in whatever order the layer has them', async () => {
    const entries = files(5000, 300);
    const shuffled = entries.map((_, i) => entries[(i * 17) % entries.length]!);
    const layers = new Layers(shuffled);
    expect(Buffer.concat(await chunksOf(layers)).equals(rawTar(entries))).toBe(true);
    expect(layers.reads).toBeLessThan(500);
  });

  it('reads together no more than it has room for', async () => {
    // What the first chunk needs lies in the layer between large files that come later: 120 kB apart, the last at 1 MB.
    const small = Array.from({ length: 9 }, (_, i): RawEntry => ({
      name: `a${i}`,
      body: body(i, i < 8 ? 1000 : 100_000),
    }));
    const large = small.map((_, i): RawEntry => ({ name: `z${i}`, body: body(i + 9, 120_000) }));
    const layers = new Layers(small.flatMap((entry, i) => [entry, large[i]!]));
    expect(Buffer.concat(await chunksOf(layers)).equals(rawTar([...small, ...large]))).toBe(true);
  });

  it('keeps few of many layers open', async () => {
    const layers = new Layers(...Array.from({ length: 100 }, (_, i) => [{ name: `f${i}`, body: body(i, 200_000) }]));
    expect(Buffer.concat(await chunksOf(layers)).length).toBe(layers.plan.length);
    expect(layers.openMost).toBeLessThanOrEqual(40);
    expect(layers.open).toBe(0);
  });

  it('opens no layer for bytes that no file has', async () => {
    const layers = new Layers([{ name: 'd/', flag: '5' }, { name: 'empty' }]);
    await chunksOf(layers);
    const headerOnly = new Layers(files(1, 5000));
    await chunksOf(headerOnly, { from: 0, to: 512 });
    expect([layers.opened, headerOnly.opened]).toEqual([0, 0]);
  });

  it.each([
    [-1, 10],
    [10, 9],
    [0, 1e9],
    [0.5, 1],
  ])('refuses the range %d to %d', async (from, to) => {
    const range = { from, to };
    await expect(chunksOf(new Layers(files(1, 10)), range)).rejects.toMatchObject({ code: 'RANGE_INVALID' });
  });

  it('stops with CORRUPT at a layer that is shorter than its index says, and closes it', async () => {
    const layers = new Layers(files(50, 30_000));
    layers.damage = (tar) => tar.subarray(0, 1_000_000);
    let told = 0;
    const writing = (async () => {
      for await (const chunk of writeRootfs(layers.plan, layers.openLayer)) told += chunk.length;
    })();
    await expect(writing).rejects.toMatchObject({ code: 'CORRUPT', detail: { sizeBytes: 1_000_000 } });
    expect(told).toBeLessThan(layers.plan.length);
    expect(layers.open).toBe(0);
  });

  it('throws what opening a layer throws', async () => {
    const { plan } = new Layers(files(1, 10));
    const writing = writeRootfs(plan, async () => {
      throw new VarveError('BLOB_UNKNOWN', 'no such layer');
    });
    await expect(writing.next()).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  it('closes its readers when whoever reads it leaves', async () => {
    const layers = new Layers(files(50, 100_000));
    for await (const chunk of writeRootfs(layers.plan, layers.openLayer)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect([layers.opened, layers.open]).toEqual([1, 0]);
  });
});
