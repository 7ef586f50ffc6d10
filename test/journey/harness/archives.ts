import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  archiveOf,
  type BuiltImage,
  dockerArchive,
  dockerOciArchive,
  legacyArchive,
  ociArchive,
  podmanArchive,
  v1Chain,
  v1RootId,
} from '../../fixture/archive-builder.js';
import { emptyLayer, layer } from '../../fixture/layer-builder.js';

/** A folder for one test file, and files in it. */
export interface Workspace {
  readonly path: string;
  file(name: string, bytes: Uint8Array | string): Promise<string>;
  remove(): Promise<void>;
}

export async function workspace(): Promise<Workspace> {
  const path = await mkdtemp(join(tmpdir(), 'varve-work-'));
  return {
    path,
    file: async (name, bytes) => {
      await writeFile(join(path, name), bytes);
      return join(path, name);
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

export const baseLayer = layer({
  'bin/': null,
  'bin/sh': 'shell',
  'etc/': null,
  'etc/motd': 'hello\n',
  'etc/old': 'old\n',
});
export const appLayer = layer(
  { 'app/': null, 'app/run': 'run v1\n', 'etc/.wh.old': '', 'etc/motd': 'hello app\n' },
  'gzip',
);
export const webLayer = layer({ 'web/': null, 'web/index.html': '<h1>web</h1>\n' }, 'gzip');

const baseSteps = [
  { layer: baseLayer, createdBy: '/bin/sh -c #(nop) ADD file:base in /', created: '2015-06-16T00:00:00Z' },
  { createdBy: '/bin/sh -c #(nop) CMD ["/bin/sh"]', created: '2015-06-16T00:00:01Z' },
];

/** Two images cut from one base. */
export const appImage: BuiltImage = {
  steps: [...baseSteps, { layer: appLayer, createdBy: '/bin/sh -c make install', created: '2015-06-17T00:00:00Z' }],
  names: ['app:latest', 'app:1.0'],
};
export const webImage: BuiltImage = {
  steps: [...baseSteps, { layer: webLayer, createdBy: '/bin/sh -c make web', created: '2015-06-18T00:00:00Z' }],
  names: ['web:latest'],
};

/** A docker 1.x chain on the empty root that all of them had. */
export const v1Layers = [
  ...v1Chain([{ layer: emptyLayer, id: v1RootId, comment: 'Imported from -' }]),
  ...v1Chain(
    [
      { layer: baseLayer, createdBy: '/bin/sh -c #(nop) ADD file:base in /' },
      {
        layer: layer({ 'app/': null, 'app/run': 'run v1\n', 'etc/.wh.old': '' }),
        createdBy: '/bin/sh -c make install',
      },
    ],
    v1RootId,
  ),
];

export const v1Tip = v1Layers.at(-1)?.id as string;

/** Every layout we read, as its tool writes it, each with the same image in it. */
export const layouts: readonly { readonly name: string; readonly bytes: Buffer; readonly commits: number }[] = [
  {
    name: 'docker save of 2015, without manifest.json',
    bytes: archiveOf(legacyArchive(v1Layers, { app: { latest: v1Tip } })),
    commits: 3,
  },
  { name: 'docker save of 1.10 to 24', bytes: archiveOf(dockerArchive([appImage])), commits: 4 },
  { name: 'podman save, with symlinks', bytes: archiveOf(podmanArchive(appImage)), commits: 4 },
  { name: 'an OCI layout', bytes: archiveOf(ociArchive([{ ...appImage, names: ['app:latest'] }])), commits: 4 },
  { name: 'docker save of 25 and later', bytes: archiveOf(dockerOciArchive([appImage])), commits: 4 },
];
