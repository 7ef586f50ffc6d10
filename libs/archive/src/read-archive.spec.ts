import * as fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { digestOf, DigestBuilder, type DiffId, hexOf } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import { formatPlatform } from '#core/manifest';
import {
  archiveOf,
  type BuiltImage,
  configOf,
  dockerArchive,
  dockerOciArchive,
  legacyArchive,
  layersOf,
  manifestOf,
  ociArchive,
  ociMultiPlatformArchive,
  podmanArchive,
  v1Chain,
  v1RootId,
} from '../../../test/fixture/archive-builder.js';
import { emptyLayer, layer, recompressed } from '../../../test/fixture/layer-builder.js';
import type { BuiltEntry } from '../../../test/fixture/tar-bytes.js';
import type { ArchiveImage, ReadArchive, StoredLayer } from './archive-image.js';
import { readArchive } from './read-archive.js';

const base = layer({ 'etc/': null, 'etc/motd': 'base' });
const app = layer({ 'app/': null, 'app/run': 'x'.repeat(3000) });
const image: BuiltImage = {
  steps: [{ layer: base, createdBy: 'ADD base' }, { createdBy: 'ENV A=1' }, { layer: app, createdBy: 'ADD app' }],
  names: ['app:1'],
};
const gzipped: BuiltImage = {
  ...image,
  steps: image.steps.map((step) => (step.layer ? { ...step, layer: recompressed(step.layer, 'gzip') } : step)),
};
const chain = v1Chain([
  { id: v1RootId, layer: emptyLayer, comment: 'Imported from -' },
  { layer: base },
  { layer: app },
]);
const top = chain.at(-1)?.id ?? '';
const legacy = legacyArchive(chain, { 'localhost:5000/app': { '1': top } });

describe('reading an archive gives names, config and layers of', () => {
  it.each([
    ['docker 1.10 to 24', dockerArchive([image]), false],
    ['podman and skopeo', podmanArchive(image), false],
    ['an OCI layout', ociArchive([gzipped]), true],
    ['docker 25 and later', dockerOciArchive([image]), true],
  ])('%s', async (_title, items, hasManifest) => {
    for (const order of [items, items.toReversed()]) {
      const { images, warnings } = await read(order);
      expect(images.map(summary)).toEqual([
        {
          names: ['app refs/tags/1'],
          layers: [base.diffId, app.diffId],
          config: digestOf(configOf(image)),
          hasManifest,
        },
      ]);
      expect(warnings).toEqual([]);
    }
  });

  it('docker before 1.10: the chain of ids from the root up', async () => {
    for (const order of [legacy, legacy.toReversed()]) {
      const { images } = await read(order);
      expect(images.map(summary)).toEqual([
        { names: ['app refs/tags/1'], ids: chain.map(({ id }) => id), layers: chain.map((v1) => v1.layer.diffId) },
      ]);
    }
  });

  it('docker before 1.10, saved by id: an image without name for each head', async () => {
    const side = v1Chain([{ layer: base, createdBy: 'side' }], v1RootId);
    const { images } = await read(legacyArchive([...chain, ...side], null));
    expect(new Set(images.map((one) => summary(one).ids?.at(-1)))).toEqual(new Set([top, side[0]?.id]));
    expect(images.flatMap((one) => one.names.map((name) => name.repository))).toEqual([null, null]);
  });

  it('an image saved by id: RepoTags is null', async () => {
    const { images } = await read(dockerArchive([{ ...image, names: [] }]));
    expect(images.map((one) => one.names)).toEqual([[{ text: null, repository: null, ref: 'refs/heads/main' }]]);
  });

  it('docker 25, saved by id: the index names nothing, manifest.json does', async () => {
    const { images } = await read(dockerOciArchive([{ ...image, names: [] }]));
    expect(images.map(summary)).toMatchObject([{ layers: [base.diffId, app.diffId], hasManifest: false }]);
  });

  it('the first docker 25, whose manifests name no layer: manifest.json is followed', async () => {
    const broken = { ...(JSON.parse(manifestOf(image).toString()) as object), layers: [] };
    const bytes = Buffer.from(JSON.stringify(broken));
    const { digest, size } = { digest: digestOf(bytes), size: bytes.length };
    const items = dockerOciArchive([image]).filter(({ name }) => !name.endsWith(hexOf(digestOf(manifestOf(image)))));
    const { images, warnings } = await read([
      ...replaceJson(items, 'index.json', (index) => ({
        ...index,
        manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size }],
      })),
      { name: `blobs/sha256/${hexOf(digest)}`, body: bytes },
    ]);
    expect(images.map(summary)).toMatchObject([{ layers: [base.diffId, app.diffId], hasManifest: false }]);
    expect(warnings).toContainEqual(expect.stringContaining('manifest.json was followed'));
  });

  it('several images with names of their own, and two layers that are one', async () => {
    const twin: BuiltImage = { steps: [{ layer: base }, { layer: base }], names: ['x:1', 'x:2'] };
    const { images } = await read(dockerArchive([image, twin]));
    expect(images.map((one) => summary(one).names)).toEqual([['app refs/tags/1'], ['x refs/tags/1', 'x refs/tags/2']]);
    expect(images.map((one) => summary(one).layers)[1]).toEqual([base.diffId, base.diffId]);
  });

  it('an index of several platforms: one image for all, or the one that is asked for', async () => {
    const arm = { ...image, architecture: 'arm64' };
    const items = ociMultiPlatformArchive([arm, image], 'localhost/app:1');
    const [all, ...others] = (await read(items)).images;
    expect(others).toEqual([]);
    expect(all).toMatchObject({ type: 'indexed', names: [{ text: 'localhost/app:1' }] });
    expect(all?.type === 'indexed' && all.members.map(({ platform }) => formatPlatform(platform))).toEqual([
      'linux/amd64',
      'linux/arm64',
    ]);
    const { images } = await read(items, { os: 'linux', architecture: 'arm64', variant: null });
    expect(images.map((one) => summary(one)['config'])).toEqual([digestOf(configOf(arm))]);
    await expect(read(items, { os: 'linux', architecture: 'mips', variant: null })).rejects.toThrow('linux/mips');
  });

  it('variants of one architecture: told apart, and never guessed', async () => {
    const [v6, v7] = ['v6', 'v7'].map((variant) => ({ ...image, architecture: 'arm', config: { variant } }));
    const named = { ...image, names: ['app:1'] };
    const items = ociArchive([
      { ...v6!, names: named.names },
      { ...v7!, names: named.names },
    ]);
    const arm = { os: 'linux', architecture: 'arm' };
    expect((await read(items)).images).toMatchObject([{ type: 'indexed' }]);
    const { images } = await read(items, { ...arm, variant: 'v7' });
    expect(images.map((one) => summary(one)['config'])).toEqual([digestOf(configOf(v7!))]);
    const error = await failure(read(items, { ...arm, variant: null }));
    expect([error.code, error.detail['platforms']]).toEqual(['REQUEST_INVALID', ['linux/arm/v6', 'linux/arm/v7']]);
  });

  it('an index of several platforms of which some are not there: those that are', async () => {
    const arm = { ...image, architecture: 'arm64' };
    const items = ociMultiPlatformArchive([image, arm], 'app:1').filter(
      ({ name }) => !name.endsWith(hexOf(digestOf(manifestOf(arm)))),
    );
    const { images, warnings } = await read(items);
    expect(images.map((one) => summary(one)['config'])).toEqual([digestOf(configOf(image))]);
    expect(warnings).toContainEqual(expect.stringContaining('a platform is not in the archive'));
  });
});

describe('reading an archive passes over', () => {
  it('entries that stand twice and are the same', async () => {
    const items = dockerArchive([image]);
    expect((await read([...items, ...items])).images).toHaveLength(1);
  });

  it('blobs that nothing names, also such that only begin like a layer, and says so', async () => {
    const stray: BuiltEntry = { name: `blobs/sha256/${'0'.repeat(64)}`, body: gzipSync('no tar') };
    const { warnings } = await read([...ociArchive([image]), stray]);
    expect(warnings).toEqual([expect.stringContaining('1 blobs or layers are named by no image')]);
  });

  it('attestations beside an image', async () => {
    const items = replaceJson(ociArchive([image]), 'index.json', (index) => ({
      ...index,
      manifests: [
        ...(index['manifests'] as object[]),
        {
          ...(index['manifests'] as object[])[0],
          digest: `sha256:${'1'.repeat(64)}`,
          platform: { os: 'unknown', architecture: 'unknown' },
        },
      ],
    }));
    const { images, warnings } = await read(items);
    expect(images).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining('an attestation')]);
  });
});

describe('reading an archive refuses', () => {
  const oci = ociArchive([gzipped]);
  const docker = dockerArchive([image]);
  const firstLayer = `blobs/sha256/${hexOf(layersOf(gzipped)[0]?.digest ?? digestOf(''))}`;
  const config = hexOf(digestOf(configOf(image)));
  const root = chain[0]?.id ?? '';
  const middle = chain[1]?.id ?? '';

  const cases: readonly [string, readonly BuiltEntry[], string, string][] = [
    ['an empty archive', [], 'ARCHIVE_INVALID', 'it has none of manifest.json'],
    ['a tar of something else', [{ name: 'etc/passwd', body: 'root' }], 'ARCHIVE_INVALID', 'it has none of'],
    ['a name that leaves the archive', [...docker, { name: '../x', body: '' }], 'ARCHIVE_INVALID', '"../x" leaves'],
    ['an absolute name', [...docker, { name: '/x', body: '' }], 'ARCHIVE_INVALID', '"/x" leaves'],
    ['a link that leads out', [...docker, link('x', '../y')], 'ARCHIVE_INVALID', 'x leads out of the archive'],
    ['a link to an absolute path', [...docker, link('x', '/etc/passwd')], 'ARCHIVE_INVALID', 'outside the archive'],
    ['a link to nothing', [...docker, link('x', 'y')], 'ARCHIVE_INVALID', 'x links to y'],
    ['links in a circle', [...docker, link('x', 'y'), link('y', 'x')], 'ARCHIVE_INVALID', 'more than 40 links'],
    [
      'two entries of one name',
      [...docker, { name: 'manifest.json', body: '[]' }],
      'ARCHIVE_INVALID',
      'called manifest.json',
    ],
    ['no image', replace(docker, 'manifest.json', '[]'), 'ARCHIVE_INVALID', 'names no image'],
    ['a manifest.json that is none', replace(docker, 'manifest.json', '{}'), 'ARCHIVE_INVALID', 'an array of images'],
    ['a manifest.json cut off', replace(docker, 'manifest.json', '[{"Con'), 'ARCHIVE_INVALID', 'is not JSON in UTF-8'],
    ['a config that is not there', without(docker, `${config}.json`), 'ARCHIVE_INVALID', `names ${config}.json`],
    [
      'a layer that is not there',
      docker.filter(({ name }) => !name.endsWith('layer.tar')),
      'ARCHIVE_INVALID',
      '/layer.tar, which is not in',
    ],
    [
      'a config of another digest',
      replace(docker, `${config}.json`, '{"a":1}'),
      'DIGEST_MISMATCH',
      `config ${config}.json`,
    ],
    [
      'a layer of another diffID',
      docker.map((item) => (item.name.endsWith('layer.tar') ? { ...item, body: emptyLayer.tar } : item)),
      'DIGEST_MISMATCH',
      `rootfs.diff_ids says ${base.diffId}`,
    ],
    [
      'fewer layers than the config has',
      replaceJson(docker, 'manifest.json', (list) => [{ ...(list as unknown as object[])[0], Layers: [] }]),
      'MANIFEST_INVALID',
      'lists 2 layers',
    ],
    ['a layer that is no tar', replaceAll(docker, 'layer.tar', 'x'.repeat(2000)), 'LAYER_INVALID', '/layer.tar: '],
    ['an index.json without oci-layout', without(oci, 'oci-layout'), 'ARCHIVE_INVALID', 'no oci-layout'],
    [
      'another layout version',
      replace(oci, 'oci-layout', '{"imageLayoutVersion":"2.0.0"}'),
      'ARCHIVE_INVALID',
      'expected 1.x',
    ],
    ['a blob that is named and not there', without(oci, firstLayer), 'BLOB_MISSING', 'does not hold it'],
    ['a blob of another digest', replace(oci, firstLayer, emptyLayer.tar), 'DIGEST_MISMATCH', `at ${firstLayer}`],
    [
      'a manifest of another size',
      replaceJson(oci, 'index.json', (index) => ({
        ...index,
        manifests: (index['manifests'] as object[]).map((entry) => ({ ...entry, size: 3 })),
      })),
      'SIZE_MISMATCH',
      'its descriptor says 3',
    ],
    [
      'a name that is no repository',
      dockerArchive([{ ...image, names: ['App:1'] }]),
      'NAME_INVALID',
      'names an image "App:1"',
    ],
    [
      'a parent that is missing',
      without(legacy, `${middle}/json`),
      'ARCHIVE_INVALID',
      `${middle}, which is not in the archive`,
    ],
    [
      'a layer.tar that is missing',
      without(legacy, `${middle}/layer.tar`),
      'ARCHIVE_INVALID',
      `${middle}/layer.tar is not in`,
    ],
    [
      'parents in a circle',
      replaceJson(legacy, `${root}/json`, (json) => ({ ...json, parent: top })),
      'ARCHIVE_INVALID',
      'its own ancestor',
    ],
    [
      'an id that is not its folder',
      replaceJson(legacy, `${root}/json`, (json) => ({ ...json, id: top })),
      'ARCHIVE_INVALID',
      `has the id ${top}`,
    ],
    [
      'a name for an id that is not there',
      replace(legacy, 'repositories', `{"x":{"1":"${'0'.repeat(64)}"}}`),
      'ARCHIVE_INVALID',
      'repositories names x:1',
    ],
    ['a json that is none', replace(legacy, `${root}/json`, '{'), 'ARCHIVE_INVALID', `${root}/json is not JSON`],
  ];

  it.each(cases)('%s', async (_title, items, code, message) => {
    const error = await failure(read(items));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
  });

  it('an encrypted layer', async () => {
    const type = 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted';
    const odd: BuiltImage = { ...image, steps: [{ layer: { ...base, mediaType: type } }] };
    expect((await failure(read(ociArchive([odd])))).code).toBe('UNSUPPORTED');
  });

  it('an archive that ends early, wherever it does', async () => {
    const whole = archiveOf(docker);
    for (let cut = 1; cut < whole.length - 1024; cut += 257) {
      const error = await failure(readBytes(whole.subarray(0, cut)));
      expect(error.code).toBe('ARCHIVE_INVALID');
    }
  });

  it('an archive with a damaged header, and names the entry before it is trusted', async () => {
    const whole = archiveOf(docker);
    whole.writeUInt8(0x7a, 700);
    expect((await failure(readBytes(Buffer.concat([whole.subarray(0, 512), Buffer.alloc(512, 0x41)])))).code).toBe(
      'ARCHIVE_INVALID',
    );
  });

  it('nothing of what the receiver throws for other reasons', async () => {
    const full = new VarveError('STORAGE_FULL', 'no room');
    const reading = readArchive(once(archiveOf(docker)), { receive: () => Promise.reject(full) });
    await expect(reading).rejects.toBe(full);
  });
});

describe('whatever the bytes are, an archive', () => {
  it.each([
    ['docker 1.10', dockerArchive([image])],
    ['OCI', ociArchive([gzipped])],
    ['docker 25', dockerOciArchive([image])],
    ['docker before 1.10', legacy],
  ])('is read or refused with a code: %s', async (_title, items) => {
    const whole = archiveOf(items);
    const bytes = fc.nat({ max: whole.length - 1 });
    const damage = fc.array(fc.tuple(bytes, fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(damage, async (places) => {
        const damaged = Buffer.from(whole);
        for (const [at, value] of places) damaged.writeUInt8(value, at);
        const fault: unknown = await readBytes(damaged).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(fault === undefined || isVarveError(fault)).toBe(true);
        expect(isVarveError(fault, 'INTERNAL')).toBe(false);
      }),
      { numRuns: 150 },
    );
  });
});

/** Receives a layer into memory: digest of the bytes, diffID of the plain tar. */
async function receive(bytes: AsyncIterable<Uint8Array>): Promise<StoredLayer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  const blob = Buffer.concat(chunks);
  const builder = new DigestBuilder();
  builder.update(blob);
  return { digest: builder.digest(), sizeBytes: blob.length, diffId: diffIdOf(blob) };
}

function diffIdOf(blob: Buffer): DiffId {
  const known = [base, app, emptyLayer].flatMap((one) => [one, recompressed(one, 'gzip')]);
  const found = known.find(({ digest }) => digest === digestOf(blob));
  if (!found) throw new VarveError('LAYER_INVALID', 'not a layer of this test');
  return found.diffId;
}

function read(
  items: readonly BuiltEntry[],
  platform: Parameters<typeof readArchive>[1]['platform'] = null,
): Promise<ReadArchive<StoredLayer>> {
  return readBytes(archiveOf(items), platform);
}

function readBytes(
  bytes: Buffer,
  platform: Parameters<typeof readArchive>[1]['platform'] = null,
): Promise<ReadArchive<StoredLayer>> {
  return readArchive(once(bytes), { receive, platform });
}

/** The bytes in chunks that fall across every border. */
async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

async function failure(promise: Promise<unknown>): Promise<VarveError> {
  const error = await promise.then(
    () => new Error('expected a failure'),
    (cause: unknown) => cause,
  );
  if (!isVarveError(error)) throw error;
  return error;
}

interface Summary {
  names: string[];
  layers: DiffId[];
  ids?: string[];
  config?: string;
  hasManifest?: boolean;
}

function summary(one: ArchiveImage<StoredLayer>): Summary {
  const names = one.names.map(({ repository, ref }) => `${repository} ${ref}`);
  if (one.type === 'chained') {
    return { names, ids: one.chain.map((v1) => v1.config.id), layers: one.chain.map((v1) => v1.layer.diffId) };
  }
  if (one.type === 'indexed') throw new Error('expected an image for one platform');
  return {
    names,
    layers: one.layers.map(({ diffId }) => diffId),
    config: one.configDocument.digest,
    hasManifest: one.manifest !== null,
  };
}

function link(name: string, target: string): BuiltEntry {
  return { name, type: 'symlink', link: target };
}

function without(items: readonly BuiltEntry[], name: string): BuiltEntry[] {
  const left = items.filter((item) => item.name !== name);
  expect(left).toHaveLength(items.length - 1);
  return left;
}

function replace(items: readonly BuiltEntry[], name: string, body: string | Buffer): BuiltEntry[] {
  return [...without(items, name), { name, body }];
}

function replaceAll(items: readonly BuiltEntry[], suffix: string, body: string): BuiltEntry[] {
  return items.map((item) => (item.name.endsWith(suffix) ? { ...item, body } : item));
}

type Json = Record<string, unknown>;

function replaceJson(items: readonly BuiltEntry[], name: string, change: (json: Json) => unknown): BuiltEntry[] {
  const before = items.find((item) => item.name === name)?.body ?? '';
  return replace(items, name, JSON.stringify(change(JSON.parse(before.toString()) as Json)));
}
