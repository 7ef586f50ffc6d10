import { gzipSync, zstdCompressSync } from 'node:zlib';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { digestOf, type DiffId } from '#core/digest';
import { mediaType } from '#core/media-type';
import type { BlobStore } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { decodeLayerIndex, encodeLayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import { skippableFrame } from '../../../test/fixture/bytes-compressed.js';
import { collect, inPieces, randomBytesOf, thenFails } from '../../../test/fixture/bytes-random.js';
import { canMountSmallDisk, onSmallDisk } from '../../../test/fixture/bytes-small-disk.js';
import { tarBytes } from '../../../test/fixture/tar-bytes.js';
import { indexAddress, seekableAddress } from './derived-address.js';
import { receiveLayer } from './receive-layer.js';

const tar = tarBytes([
  { name: 'etc/', type: 'directory' },
  { name: 'etc/motd', body: 'welcome\n' },
  { name: 'large', body: randomBytesOf(1, 300_000) },
]);
const diffId = digestOf(tar) as DiffId;
const half = tar.length / 2;

describe('receiveLayer', () => {
  let blobs: BlobStore;
  beforeEach(() => {
    blobs = openMemoryBlobStore();
  });
  afterEach(() => blobs.close());

  it.each([
    ['a plain tar', tar, mediaType.layer],
    ['gzip', gzipSync(tar), mediaType.layerGzip],
    [
      'gzip, two members (Z9)',
      Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]),
      mediaType.layerGzip,
    ],
    ['gzip and NUL padding (Z10)', Buffer.concat([gzipSync(tar), Buffer.alloc(512)]), mediaType.layerGzip],
    ['zstd (Z12)', zstdCompressSync(tar), mediaType.layerZstd],
    [
      'zstd, two frames and a skippable one (Z13)',
      Buffer.concat([
        zstdCompressSync(tar.subarray(0, half)),
        skippableFrame(3, 99),
        zstdCompressSync(tar.subarray(half)),
      ]),
      mediaType.layerZstd,
    ],
  ])('takes %s: the bytes as they are, the diffID of the tar, its index, and a tar to read', async (_, bytes, type) => {
    const layer = await receiveLayer(blobs, inPieces(bytes, 10_000));
    const facts = { digest: digestOf(bytes), mediaType: type };
    expect(layer).toMatchObject({ ...facts, sizeBytes: bytes.length, diffId, tarBytes: tar.length });
    expect(await visible(blobs)).toEqual([]);

    const index = await layer.readIndex();
    const named = await layer.seal();
    await layer.discard();
    expect(named).toMatchObject({ ...facts, size: bytes.length, layer: { diffId, tarBytes: tar.length } });
    expect((await read(blobs, named)).equals(bytes)).toBe(true);
    expect(await read(blobs, indexAddress(diffId))).toEqual(Buffer.from(encodeLayerIndex(index)));
    expect(decodeLayerIndex(await read(blobs, indexAddress(diffId)))).toEqual(index);
    const isPlain = type === mediaType.layer;
    expect(await blobs.stat(seekableAddress(diffId))).toBe(isPlain ? undefined : tar.length);
    if (!isPlain) expect((await read(blobs, seekableAddress(diffId))).equals(tar)).toBe(true);
    expect(await collect(blobs.staged())).toEqual([]);
  });

  it('makes the same index of one tar, however it is compressed and cut', async () => {
    const plain = await receiveLayer(blobs, inPieces(tar, Infinity));
    for (const pieceBytes of [1, 511, 513, 65_536]) {
      const other = await receiveLayer(blobs, inPieces(zstdCompressSync(tar, {}), Math.max(pieceBytes, 100)));
      expect(await other.readIndex()).toEqual(await plain.readIndex());
      const cut = await receiveLayer(blobs, inPieces(tar.subarray(0, 20_000), pieceBytes)).catch((error) => error.code);
      expect(cut).toBe('LAYER_INVALID');
    }
  });

  it('takes a layer of no bytes (Z8)', async () => {
    const layer = await receiveLayer(blobs, inPieces(Buffer.alloc(0), 1));
    expect(layer).toMatchObject({ digest: digestOf(''), diffId: digestOf(''), sizeBytes: 0, tarBytes: 0 });
    expect(encodeLayerIndex(await layer.readIndex())).toEqual(encodeLayerIndex(new LayerScanner().finish()));
    const named = await layer.seal();
    expect(await blobs.stat(named)).toBe(0);
  });

  it('writes one object for a small plain layer, and three for a small compressed one', async () => {
    const small = tarBytes([{ name: 'hello', body: 'x'.repeat(60_000) }]);
    for (const [bytes, objects] of [
      [small, 1],
      [gzipSync(small), 3],
    ] as const) {
      const before = await visible(blobs);
      const layer = await receiveLayer(blobs, inPieces(bytes, 10_000));
      await layer.seal();
      await layer.discard();
      expect((await visible(blobs)).length - before.length).toBe(objects);
    }
    expect(await collect(blobs.staged())).toEqual([]);
  });

  it.each([
    [
      'the digest',
      { digest: digestOf('other') },
      'DIGEST_MISMATCH',
      { expected: digestOf('other'), actual: digestOf(gzipSync(tar)) },
    ],
    [
      'the diffID',
      { diffId: digestOf('other') as DiffId },
      'DIGEST_MISMATCH',
      { expected: digestOf('other'), actual: diffId },
    ],
    ['a larger size', { sizeBytes: gzipSync(tar).length + 1 }, 'SIZE_MISMATCH', { actual: gzipSync(tar).length }],
    ['a smaller size', { sizeBytes: 9 }, 'SIZE_MISMATCH', { expected: 9 }],
  ])('refuses a layer that is not what its sender says, and keeps nothing: %s', async (_, expected, code, detail) => {
    await expect(receiveLayer(blobs, inPieces(gzipSync(tar), 1000), expected)).rejects.toMatchObject({ code, detail });
    expect(await everything(blobs)).toEqual([]);
  });

  it('takes a layer that is what its sender says', async () => {
    const bytes = gzipSync(tar);
    const expected = { digest: digestOf(bytes), diffId, sizeBytes: bytes.length };
    await (await receiveLayer(blobs, inPieces(bytes, 1000), expected)).discard();
    expect(await everything(blobs)).toEqual([]);
  });

  it('stops reading a body that is longer than its sender says', async () => {
    let given = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const bytes of inPieces(tar, 10_000)) {
        given += bytes.length;
        yield bytes;
      }
    }
    await expect(receiveLayer(blobs, counted(), { sizeBytes: 100_000 })).rejects.toMatchObject({
      code: 'SIZE_MISMATCH',
      detail: { expected: 100_000, actual: 110_000 },
    });
    expect(given).toBe(110_000);
  });

  it.each([
    ['a plain tar that breaks off', tar.subarray(0, 200_000)],
    ['a gzip layer that breaks off', gzipSync(tar).subarray(0, 200_000)],
    ['a zstd layer that breaks off', zstdCompressSync(tar).subarray(0, 200_000)],
  ])('keeps nothing when the connection is lost: %s', async (_, bytes) => {
    await expect(receiveLayer(blobs, thenFails(bytes, 10_000))).rejects.toThrow('the connection was reset');
    expect(await everything(blobs)).toEqual([]);
  });

  it.each([
    ['what is no tar', Buffer.alloc(2048, 'x')],
    ['a tar, truncated in a header (Z2)', tar.subarray(0, 700)],
    ['a tar, truncated in data (Z3)', tar.subarray(0, 100_000)],
    ['gzip of what is no tar', gzipSync(randomBytesOf(3, 200_000))],
    ['gzip and garbage (Z11)', Buffer.concat([gzipSync(tar), Buffer.from('garbage')])],
    ['zstd of a truncated tar', zstdCompressSync(tar.subarray(0, 100_000))],
    ['xz', Buffer.from('fd377a585a000004', 'hex')],
  ])('refuses %s and keeps nothing', async (_, bytes) => {
    await expect(receiveLayer(blobs, inPieces(bytes, 10_000))).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expect(await everything(blobs)).toEqual([]);
  });

  it('closes its source when it refuses', async () => {
    let isClosed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.alloc(1024, 'x');
      } finally {
        isClosed = true;
      }
    }
    await expect(receiveLayer(blobs, source())).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expect(isClosed).toBe(true);
  });

  const canMount = canMountSmallDisk();
  const why = canMount ? '' : ' (needs root, to mount a small disk)';
  (canMount ? it : it.skip)(`keeps nothing when there is no room${why}`, () =>
    onSmallDisk(1 << 20, async (disk) => {
      const store = await openFilesystemBlobStore(disk.folder);
      const large = tarBytes([{ name: 'large', body: randomBytesOf(4, 2 << 20) }]);
      const thin = tarBytes([{ name: 'thin', body: Buffer.alloc(2 << 20, 'x') }]);
      for (const bytes of [large, gzipSync(large), zstdCompressSync(thin)]) {
        await expect(receiveLayer(store, inPieces(bytes, 10_000))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
        expect(await everything(store)).toEqual([]);
      }
      await store.close();
    }),
  );
});

async function everything(blobs: BlobStore): Promise<unknown[]> {
  return [...(await visible(blobs)), ...(await collect(blobs.staged()))];
}

async function visible(blobs: BlobStore): Promise<unknown[]> {
  return [
    ...(await collect(blobs.blobs())),
    ...(await collect(blobs.derived('index'))),
    ...(await collect(blobs.derived('seekable'))),
  ];
}

async function read(blobs: BlobStore, address: Parameters<BlobStore['open']>[0]): Promise<Buffer> {
  const reader = await blobs.open(address);
  try {
    return await readBlob(reader);
  } finally {
    await reader.close();
  }
}
