import { type CommitId, type EncodedCommit, encodeCommit, newCommit, type Platform } from '#core/commit';
import { type DiffId, digestOf } from '#core/digest';
import { unreachable } from '#core/error';
import type { HistoryEntry } from '#core/image-config';
import { limit } from '#core/limit';
import type { ArchiveImage, ChainedImage, IndexedImage, StackedImage, StoredLayer, V1Image } from './archive-image.js';

/**
 * The commits of an image, parents before children; the last is what its names point at. A function of the image
 * alone: not of when, where or under which name it is loaded, so that equal images and equal bases get equal ids.
 * @throws LIMIT_EXCEEDED, COMMIT_INVALID
 * @see design 0 "Archives to commits"
 */
export function imageCommits(image: ArchiveImage<StoredLayer>, known: KnownCommits = new Map()): EncodedCommit[] {
  switch (image.type) {
    case 'stacked':
      return stackedCommits(image);
    case 'chained':
      return chainedCommits(image, known);
    case 'indexed':
      return indexedCommits(image);
    default:
      return unreachable(image);
  }
}

/** The commits of docker 1.x layers that were made already: the images of one archive share most of their chains. */
export type KnownCommits = Map<V1Image<StoredLayer>, EncodedCommit>;

/**
 * One commit for each history entry, without config, so that two images cut from one base share the base's commits;
 * then one without layers that carries config and manifest. It says what it was made from, and nothing else.
 */
function stackedCommits(image: StackedImage<StoredLayer>): EncodedCommit[] {
  const { platform } = image.config;
  const commits: EncodedCommit[] = [];
  for (const { layers, entry } of steps(image)) {
    commits.push(stepCommit({ parent: commits.at(-1), layers, platform, entry }));
  }
  const importOf = image.manifest?.descriptor.digest ?? image.configDocument.digest;
  commits.push(
    encodeCommit(
      newCommit({
        parents: parentsOf(commits.at(-1)),
        config: image.configDocument.digest,
        manifest: image.manifest?.descriptor ?? null,
        platform,
        author: boundedText(image.config.author),
        time: image.config.time,
        message: `Import of ${importOf}`,
        origin: { importOf },
      }),
    ),
  );
  return commits;
}

/**
 * The commits of every platform, each a history of its own; then one without layers and parents that lists their last
 * ones: a group, not ancestry.
 */
function indexedCommits({ members, manifest }: IndexedImage<StoredLayer>): EncodedCommit[] {
  const commits = new Map<CommitId, EncodedCommit>();
  const index = members.map(({ platform, image }) => {
    const chain = stackedCommits(image);
    for (const commit of chain) commits.set(commit.id, commit);
    return { platform, commit: (chain.at(-1) as EncodedCommit).id };
  });
  const { digest: importOf } = manifest.descriptor;
  const message = `Import of ${importOf}`;
  const group = encodeCommit(newCommit({ manifest: manifest.descriptor, index, message, origin: { importOf } }));
  return [...commits.values(), group];
}

interface Step {
  readonly layers: readonly DiffId[];
  readonly entry: HistoryEntry;
}

const noHistory: HistoryEntry = { time: null, createdBy: '', comment: '', author: '', isEmptyLayer: false };

/** History and layers in step, oldest first; where they are not as many, the layers alone: a guess would be a lie. */
function steps({ config, layers }: StackedImage<StoredLayer>): Step[] {
  const filled = config.history.filter((entry) => !entry.isEmptyLayer).length;
  if (filled !== layers.length) return layers.map(({ diffId }) => ({ layers: [diffId], entry: noHistory }));
  const left = layers.values();
  return config.history.map((entry) => ({ layers: entry.isEmptyLayer ? [] : nextOf(left), entry }));
}

function nextOf(layers: Iterator<StoredLayer>): DiffId[] {
  const next = layers.next();
  return next.done ? [] : [next.value.diffId];
}

function stepCommit(step: Step & { parent: EncodedCommit | undefined; platform: Platform | null }): EncodedCommit {
  const { entry, layers, platform } = step;
  return encodeCommit(
    newCommit({
      parents: parentsOf(step.parent),
      layers,
      platform,
      author: boundedText(entry.author),
      time: entry.time,
      message: messageOf(entry),
    }),
  );
}

/**
 * One commit for each docker 1.x layer, with its own `json` as config and its id as `origin.v1Id`, from which the
 * graph makes the alias `v1:<id>`. A layer whose tar is empty is a layer all the same: its bytes are kept.
 *
 * The root of most, 511136ea3c5a…, is such a commit too, not the genesis commit: genesis has no origin, config or
 * layer, so the alias would not survive a rebuild, and its `json` and `layer.tar` could not be written out again.
 */
function chainedCommits({ chain }: ChainedImage<StoredLayer>, known: KnownCommits): EncodedCommit[] {
  const commits: EncodedCommit[] = [];
  for (const v1 of chain) {
    const commit = known.get(v1) ?? v1Commit(v1, commits.at(-1));
    known.set(v1, commit);
    commits.push(commit);
  }
  return commits;
}

function v1Commit({ config, document, layer }: V1Image<StoredLayer>, parent: EncodedCommit | undefined): EncodedCommit {
  return encodeCommit(
    newCommit({
      parents: parentsOf(parent),
      layers: [layer.diffId],
      config: document.digest,
      platform: config.platform,
      author: boundedText(config.author),
      time: config.time,
      message: messageOf(config),
      origin: { v1Id: config.id },
    }),
  );
}

function parentsOf(parent: EncodedCommit | undefined): readonly EncodedCommit['id'][] {
  return parent ? [parent.id] : [];
}

/** What made the step, then an empty line and what was said about it; as git sets apart subject and body. */
function messageOf({ createdBy, comment }: { readonly createdBy: string; readonly comment: string }): string {
  return boundedText([createdBy, comment].filter((text) => text !== '').join('\n\n'));
}

const excerptChars = 1024;

/**
 * Text as a commit may hold it. Over `limit.commitTextBytesMax` (as JSON) it stands by its beginning, length and
 * digest: still a function of the text alone, and nothing is lost, since the whole stands in the config, which is kept
 * byte for byte. Half of a surrogate pair has no UTF-8 form and becomes U+FFFD.
 * @see event-log 1.6 rule 7
 */
function boundedText(text: string): string {
  const formed = text.toWellFormed();
  if (Buffer.byteLength(JSON.stringify(formed)) <= limit.commitTextBytesMax) return formed;
  const excerpt = formed.slice(0, excerptChars).toWellFormed();
  return `${excerpt}…\n\n[${Buffer.byteLength(formed)} bytes in all, ${digestOf(formed)}; the whole text is in the config]`;
}
