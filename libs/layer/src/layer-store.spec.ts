import { appendFile, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { digestOf, type DiffId } from '#core/digest';
import type { NamedBlob } from '#core/event';
import { parseRepositoryName } from '#core/name';
import type { BlobStore } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { encodeLayerIndex } from '#tar/layer-index';
import { graphOf } from '../../../test/fixture/bytes-graph.js';
import { collect, inPieces, randomBytesOf } from '../../../test/fixture/bytes-random.js';
import { tarBytes } from '../../../test/fixture/tar-bytes.js';
import { indexAddress, seekableAddress } from './derived-address.js';
import { LayerStore } from './layer-store.js';
import { receiveDocument } from './receive-document.js';
import { receiveLayer } from './receive-layer.js';

const repo = parseRepositoryName('app');
const tar = tarBytes([
  { name: 'etc/', type: 'directory' },
  { name: 'etc/motd', body: 'welcome\n' },
  { name: 'large', body: randomBytesOf(1, 300_000) },
]);
const diffId = digestOf(tar) as DiffId;

describe('LayerStore', () => {
  let folder: string;
  let blobs: BlobStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-layers-'));
    blobs = await openFilesystemBlobStore(folder);
  });
  afterEach(async () => {
    await blobs.close();
    await rm(folder, { recursive: true });
  });

  const encodings = [
    ['plain', tar],
    ['gzip', gzipSync(tar)],
    ['zstd', zstdCompressSync(tar)],
  ] as const;

  it.each(encodings)('reads a %s layer at any offset, and its index', async (_, bytes) => {
    const { layers, indexBytes } = await storeOf(bytes);
    const reader = await layers.open(repo, diffId);
    expect(reader.size).toBe(tar.length);
    expect((await readBlob(reader)).equals(tar)).toBe(true);
    expect((await readBlob(reader, 100_000, 100_100)).equals(tar.subarray(100_000, 100_100))).toBe(true);
    await reader.close();
    expect(encodeLayerIndex(await layers.index(repo, diffId))).toEqual(indexBytes);
  });

  it.each(encodings)('makes what is derived of a %s layer again when it is gone', async (_, bytes) => {
    const { layers, indexBytes } = await storeOf(bytes);
    await blobs.delete(seekableAddress(diffId));
    await blobs.delete(indexAddress(diffId));
    expect(encodeLayerIndex(await layers.index(repo, diffId))).toEqual(indexBytes);
    expect((await readWhole(layers)).equals(tar)).toBe(true);
    expect(await blobs.stat(indexAddress(diffId))).toBe(indexBytes.length);
    expect(await collect(blobs.staged())).toEqual([]);
  });

  it('makes the index of a small plain layer from its bytes, whenever it is asked for, and stores none', async () => {
    const small = tarBytes([{ name: 'small', body: 'x'.repeat(1_000) }]);
    const smallId = digestOf(small) as DiffId;
    const layers = new LayerStore(graphOf([await store(small)]), blobs);
    const made = await layers.index(repo, smallId);
    expect(encodeLayerIndex(await layers.index(repo, smallId))).toEqual(encodeLayerIndex(made));
    expect(made.entries.count).toBe(1);
    expect(await collect(blobs.derived('index'))).toEqual([]);
    const flipped = Buffer.from(small);
    flipped[600] = 0x58;
    await writeFile(await onlyFile('blobs'), flipped);
    await expect(layers.index(repo, smallId)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('makes it once when many want it at the same time', async () => {
    const { layers } = await storeOf(gzipSync(tar));
    await blobs.delete(seekableAddress(diffId));
    await blobs.delete(indexAddress(diffId));
    let staged = 0;
    const stageDerived = blobs.stageDerived.bind(blobs);
    blobs.stageDerived = () => {
      staged += 1;
      return stageDerived();
    };
    await Promise.all(Array.from({ length: 10 }, () => Promise.all([readWhole(layers), layers.index(repo, diffId)])));
    expect(staged).toBe(2);
  });

  it('makes a seekable copy again that a power cut made shorter', async () => {
    const { layers } = await storeOf(gzipSync(tar));
    await truncate(await onlyFile('derived/seekable'), 4096);
    expect((await readWhole(layers)).equals(tar)).toBe(true);
  });

  it.each(['', 'not an index', 'longer'])('makes an index again that does not check itself', async (text) => {
    const { layers, indexBytes } = await storeOf(tar);
    const file = await onlyFile('derived/index');
    await (text === 'longer' ? appendFile(file, text) : writeFile(file, text));
    expect(encodeLayerIndex(await layers.index(repo, diffId))).toEqual(indexBytes);
    expect(await blobs.stat(indexAddress(diffId))).toBe(indexBytes.length);
  });

  it('reads a layer from its other encoding when one is gone', async () => {
    const [plain, zipped] = [await store(tar), await store(gzipSync(tar))];
    const layers = new LayerStore(graphOf([plain, zipped]), blobs);
    await blobs.delete(plain);
    expect((await readWhole(layers)).equals(tar)).toBe(true);
    await blobs.delete(seekableAddress(diffId));
    expect((await readWhole(layers)).equals(tar)).toBe(true);
  });

  it('answers BLOB_UNKNOWN for a layer that the repository or the store does not have', async () => {
    const { layers, named } = await storeOf(gzipSync(tar));
    const other = digestOf('other') as DiffId;
    await expect(layers.open(repo, other)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN', detail: { diffId: other } });
    await expect(layers.index(repo, other)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await blobs.delete(named);
    await blobs.delete(seekableAddress(diffId));
    await expect(layers.open(repo, diffId)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    expect(await collect(blobs.staged())).toEqual([]);
  });

  it.each([
    ['other bytes', (bytes: Buffer) => gzipSync(tarBytes([{ name: 'other', body: bytes.subarray(0, 100) }]))],
    ['a shorter gzip stream', (bytes: Buffer) => bytes.subarray(0, 100_000)],
    ['noise', (bytes: Buffer) => randomBytesOf(9, bytes.length)],
  ])('answers CORRUPT when the original holds %s, and makes nothing of it', async (_, damage) => {
    const bytes = gzipSync(tar);
    const { layers } = await storeOf(bytes);
    await blobs.delete(seekableAddress(diffId));
    await blobs.delete(indexAddress(diffId));
    await writeFile(await onlyFile('blobs'), damage(bytes));
    await expect(layers.open(repo, diffId)).rejects.toMatchObject({ code: 'CORRUPT', detail: { diffId } });
    await expect(layers.index(repo, diffId)).rejects.toMatchObject({ code: 'CORRUPT', detail: { diffId } });
    expect(await blobs.stat(seekableAddress(diffId))).toBeUndefined();
    expect(await collect(blobs.staged())).toEqual([]);
  });

  it('answers CORRUPT when a plain blob is damaged', async () => {
    const { layers } = await storeOf(tar);
    await blobs.delete(indexAddress(diffId));
    const flipped = Buffer.from(tar);
    flipped[600] = 0x58;
    const file = await onlyFile('blobs');
    await writeFile(file, flipped);
    await expect(layers.index(repo, diffId)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(await blobs.stat(indexAddress(diffId))).toBeUndefined();
  });

  it('answers CORRUPT when a plain blob has another length', async () => {
    const { layers } = await storeOf(tar);
    await truncate(await onlyFile('blobs'), 512);
    await expect(layers.open(repo, diffId)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('opens a document as it was stored', async () => {
    const config = Buffer.from('{"architecture":"amd64"}');
    const received = await receiveDocument(blobs, config, 'application/json');
    const named = await received.seal();
    const layers = new LayerStore(graphOf([named]), blobs);
    const reader = await layers.openBlob(repo, digestOf(config));
    expect(await readBlob(reader)).toEqual(config);
    await reader.close();
    await expect(layers.openBlob(repo, digestOf('other'))).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  async function store(bytes: Buffer): Promise<NamedBlob> {
    return (await receiveLayer(blobs, inPieces(bytes, 65_536))).seal();
  }

  async function storeOf(bytes: Buffer): Promise<{ layers: LayerStore; named: NamedBlob; indexBytes: Uint8Array }> {
    const layer = await receiveLayer(blobs, inPieces(bytes, 65_536));
    const indexBytes = encodeLayerIndex(await layer.readIndex());
    const named = await layer.seal();
    return { layers: new LayerStore(graphOf([named]), blobs), named, indexBytes };
  }

  async function readWhole(layers: LayerStore): Promise<Buffer> {
    const reader = await layers.open(repo, diffId);
    try {
      return await readBlob(reader);
    } finally {
      await reader.close();
    }
  }

  async function onlyFile(part: string): Promise<string> {
    const entries = await readdir(join(folder, part), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    expect(files).toHaveLength(1);
    return join(files[0]!.parentPath, files[0]!.name);
  }
});
