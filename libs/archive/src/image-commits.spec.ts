import { chainIdOn, decodeCommit, type EncodedCommit } from '#core/commit';
import { chainIdOf, type Digest, digestOf, type DiffId, emptyChainId } from '#core/digest';
import { parseImageConfig } from '#core/image-config';
import type { ChainedImage, StackedImage, StoredLayer, V1Config } from './archive-image.js';
import { imageCommits } from './image-commits.js';
import { unnamed } from './image-name.js';

const base = layer('base');
const app = layer('app');
const addBase = { created: '2015-06-16T00:00:00Z', created_by: 'ADD base' };
const env = { created: '2015-06-17T00:00:00.5+02:00', created_by: 'ENV A=1', empty_layer: true, author: 'ann' };
const addApp = { created: '0001-01-01T00:00:00Z', created_by: 'ADD app', comment: 'with care' };

describe('the commits of an image with history', () => {
  const commits = imageCommits(stacked([base, app], [addBase, env, addApp]));

  it('are one for each history entry, and one without layers that carries the config', () => {
    expect(commits.map(({ commit }) => commit.layers)).toEqual([[base.diffId], [], [app.diffId], []]);
    expect(commits.map(({ commit }) => commit.config !== null)).toEqual([false, false, false, true]);
  });

  it('say what made each step, when and by whom', () => {
    expect(
      commits.map(({ commit }) => [commit.message, commit.time, commit.author, commit.committer]).slice(0, 3),
    ).toEqual([
      ['ADD base', '2015-06-16T00:00:00Z', '', ''],
      ['ENV A=1', '2015-06-16T22:00:00.5Z', 'ann', ''],
      ['ADD app\n\nwith care', null, '', ''],
    ]);
  });

  it('stand on one another, the first on nothing', () => {
    expect(commits.map(({ commit }) => commit.base)).toEqual(['empty', 'parent', 'parent', 'parent']);
    expect(commits.slice(1).map(({ commit }) => commit.parents)).toEqual(commits.slice(0, -1).map(({ id }) => [id]));
  });

  it('mean the stack of the image', () => {
    const chain = commits.reduce((below, { commit }) => chainIdOn(below, commit), emptyChainId);
    expect(chain).toBe(chainIdOf([base.diffId, app.diffId]));
  });

  it('carry the platform, and at the end what they were made from', () => {
    expect(new Set(commits.map(({ commit }) => commit.platform?.architecture))).toEqual(new Set(['amd64']));
    expect(commits.at(-1)?.commit.origin).toEqual({ importOf: commits.at(-1)?.commit.config });
  });

  it('are canonical', () => {
    expect(commits.map(({ bytes }) => decodeCommit(bytes).id)).toEqual(ids(commits));
  });
});

describe('the commits of two images', () => {
  it('are shared as far as the base goes', () => {
    const one = imageCommits(stacked([base], [addBase, env]));
    const two = imageCommits(stacked([base, app], [addBase, env, addApp]));
    expect(ids(two).slice(0, 2)).toEqual(ids(one).slice(0, 2));
    expect(ids(two)).not.toContain(ids(one).at(-1));
  });

  it('are not shared across platforms', () => {
    const one = imageCommits(stacked([base], [addBase]));
    const two = imageCommits(stacked([base], [addBase], { architecture: 'arm64' }));
    expect(ids(one)[0]).not.toBe(ids(two)[0]);
  });

  it('are the same under another name', () => {
    const image = stacked([base], [addBase]);
    expect(ids(imageCommits({ ...image, names: [] }))).toEqual(ids(imageCommits(image)));
  });

  it('differ at the image commit alone when one has a manifest', () => {
    const image = stacked([base], [addBase]);
    const manifest = { mediaType: 'm', digest: digestOf('manifest'), size: 8 };
    const [one, two] = [image, { ...image, manifest: { descriptor: manifest, document: image.configDocument } }].map(
      (each) => imageCommits(each),
    );
    expect(ids(two ?? [])[0]).toBe(ids(one ?? [])[0]);
    expect(two?.at(-1)?.commit).toMatchObject({ manifest, origin: { importOf: manifest.digest } });
  });
});

describe('the commits of an image whose history disagrees with its layers', () => {
  it.each([
    [[], 'no history'],
    [[addBase], 'too little'],
    [[addBase, addApp, addApp], 'too much'],
  ])('are one for each layer, with nothing made up (%#)', (history) => {
    const commits = imageCommits(stacked([base, app], history));
    expect(commits.map(({ commit }) => [commit.layers, commit.message, commit.time])).toEqual([
      [[base.diffId], '', null],
      [[app.diffId], '', null],
      [[], `Import of ${commits.at(-1)?.commit.config}`, '2015-06-16T00:00:00Z'],
    ]);
  });

  it('of an image without layers and history is the image commit alone, on nothing', () => {
    const commits = imageCommits(stacked([], []));
    expect(commits.map(({ commit }) => [commit.parents, commit.base, commit.layers])).toEqual([[[], 'empty', []]]);
  });
});

describe('long text', () => {
  it('stands by its beginning, its length and its digest', () => {
    const script = `RUN ${'x'.repeat(20_000)}`;
    const [first] = imageCommits(stacked([base], [{ created_by: script }]));
    expect(first?.commit.message).toBe(
      `${script.slice(0, 1024)}…\n\n[20004 bytes in all, ${digestOf(script)}; the whole text is in the config]`,
    );
  });

  it('fits a commit also when JSON writes each character as six', () => {
    const controls = '\u0001'.repeat(16_000);
    const commits = imageCommits(stacked([base], [{ created_by: controls, author: controls }]));
    expect(commits[0]?.bytes.length).toBeLessThan(64 << 10);
  });

  it('with half a surrogate pair gets the replacement character', () => {
    const [first] = imageCommits(stacked([base], [{ created_by: 'a\ud800b' }]));
    expect(first?.commit.message).toBe('a\ufffdb');
  });
});

describe('the commits of a docker 1.x image', () => {
  const root = '511136ea3c5a64f264b78b5433614aec563103b4d4702f3ba7d4d2698e22c158';
  const top = 'f'.repeat(64);
  const image: ChainedImage<StoredLayer> = {
    type: 'chained',
    names: [unnamed],
    chain: [
      { config: v1(root, null, { comment: 'Imported from -' }), document: document('root json'), layer: base },
      {
        config: v1(top, root, { createdBy: '/bin/sh -c #(nop) CMD', author: 'ann' }),
        document: document('top json'),
        layer: app,
      },
    ],
  };
  const commits = imageCommits(image);

  it('are one for each id, each with its own json as config', () => {
    expect(
      commits.map(({ commit }) => [commit.origin, commit.config, commit.layers, commit.message, commit.author]),
    ).toEqual([
      [{ v1Id: root }, digestOf('root json'), [base.diffId], 'Imported from -', ''],
      [{ v1Id: top }, digestOf('top json'), [app.diffId], '/bin/sh -c #(nop) CMD', 'ann'],
    ]);
  });

  it('begin at the root image, on nothing', () => {
    expect(commits[0]?.commit).toMatchObject({ parents: [], base: 'empty' });
    expect(commits[1]?.commit.parents).toEqual([commits[0]?.id]);
  });
});

function layer(content: string): StoredLayer {
  return { digest: digestOf(`blob of ${content}`), sizeBytes: content.length, diffId: digestOf(content) as DiffId };
}

function document(text: string): { path: string; digest: Digest; bytes: Buffer } {
  return { path: 'json', digest: digestOf(text), bytes: Buffer.from(text) };
}

function stacked(layers: StoredLayer[], history: object[], over: object = {}): StackedImage<StoredLayer> {
  const text = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: '2015-06-16T00:00:00Z',
    rootfs: { diff_ids: layers.map(({ diffId }) => diffId) },
    history,
    ...over,
  });
  return {
    type: 'stacked',
    names: [unnamed],
    config: parseImageConfig(Buffer.from(text), 'config'),
    configDocument: document(text),
    configMediaType: 'c',
    manifest: null,
    layers,
  };
}

function v1(id: string, parent: string | null, over: Partial<V1Config>): V1Config {
  return { id, parent, platform: null, time: null, author: '', createdBy: '', comment: '', ...over };
}

function ids(commits: readonly EncodedCommit[]): string[] {
  return commits.map(({ id }) => id);
}
