import { VarveError } from './error.js';
import { parseImageConfig } from './image-config.js';
import { parseIndex, parseManifest } from './manifest.js';

const digest = `sha256:${'a'.repeat(64)}`;
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 7 };
const manifest = {
  schemaVersion: 2,
  config,
  layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 1 }],
};

describe('parseManifest', () => {
  it('reads what an OCI manifest without a media type says', () => {
    expect(parseManifest(bytes(manifest), 'm')).toEqual({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config,
      layers: manifest.layers,
    });
  });

  it.each([
    [{ ...manifest, schemaVersion: 1 }, 'm: schemaVersion is 1, expected 2'],
    [{ ...manifest, manifests: [] }, 'm: manifests is [], expected none in a manifest'],
    [{ ...manifest, layers: undefined }, 'm: layers is missing, expected an array'],
    [{ ...manifest, mediaType: 'text/plain' }, 'm: mediaType is "text/plain", expected the media type of a manifest'],
    [{ ...manifest, config: { ...config, size: '7' } }, 'm: config.size is "7", expected a size in bytes'],
    [{ ...manifest, config: { ...config, size: -1 } }, 'm: config.size is -1, expected a size in bytes'],
    [
      { ...manifest, layers: [{ ...manifest.layers[0], digest: 'sha512:00' }] },
      'm: layers[0].digest is "sha512:00", expected sha256: and 64 lower-case hex digits',
    ],
    [[], 'm: the document is [], expected an object'],
  ])('refuses %j', (document, message) => {
    expect(failure(() => parseManifest(bytes(document), 'm'))).toEqual({ code: 'MANIFEST_INVALID', message });
  });

  it('refuses bytes that are not JSON in UTF-8', () => {
    const broken = Buffer.from('{"schemaVersion":2,"x":"\xff"}', 'latin1');
    expect(failure(() => parseManifest(broken, 'm'))).toEqual({
      code: 'MANIFEST_INVALID',
      message: 'm is not JSON in UTF-8',
    });
  });
});

describe('parseIndex', () => {
  it('reads platforms and annotations; null manifests are none, as docker 25 writes them', () => {
    const entry = { ...config, mediaType: 'application/vnd.oci.image.manifest.v1+json' };
    const full = { ...entry, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' }, annotations: { a: 'b' } };
    expect(parseIndex(bytes({ schemaVersion: 2, manifests: [full] }), 'i')).toEqual([
      {
        descriptor: entry,
        platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
        annotations: new Map([['a', 'b']]),
      },
    ]);
    expect(parseIndex(bytes({ schemaVersion: 2, manifests: null }), 'i')).toEqual([]);
  });

  it('refuses a document that could also be read as a manifest', () => {
    expect(failure(() => parseIndex(bytes({ ...manifest, manifests: [] }), 'i')).code).toBe('MANIFEST_INVALID');
  });
});

describe('parseImageConfig', () => {
  it('reads platform, layers and history, and takes what is absent as empty', () => {
    const document = {
      architecture: 'amd64',
      os: 'linux',
      created: '2015-06-16T02:00:00+02:00',
      rootfs: { type: 'layers', diff_ids: [digest] },
      history: [
        { created: '0001-01-01T00:00:00Z', created_by: 'ADD' },
        { empty_layer: true, comment: 'c', author: 'a' },
      ],
    };
    expect(parseImageConfig(bytes(document), 'c')).toEqual({
      platform: { architecture: 'amd64', os: 'linux', variant: null },
      time: '2015-06-16T00:00:00Z',
      author: '',
      diffIds: [digest],
      history: [
        { time: null, createdBy: 'ADD', comment: '', author: '', isEmptyLayer: false },
        { time: null, createdBy: '', comment: 'c', author: 'a', isEmptyLayer: true },
      ],
    });
  });

  it.each([
    [{ os: 'linux' }, 'c: rootfs is missing, expected an object with diff_ids'],
    [{ rootfs: { diff_ids: ['x'] } }, 'c: rootfs.diff_ids[0] is "x", expected sha256: and 64 lower-case hex digits'],
    [{ rootfs: {}, created: 'yesterday' }, 'c: created is "yesterday", expected an RFC 3339 time'],
    [{ rootfs: {}, history: [{ empty_layer: 1 }] }, 'c: history[0].empty_layer is 1, expected true or false'],
  ])('refuses %j', (document, message) => {
    expect(failure(() => parseImageConfig(bytes(document), 'c'))).toEqual({ code: 'MANIFEST_INVALID', message });
  });
});

function bytes(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document));
}

function failure(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof VarveError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('expected a failure');
}
