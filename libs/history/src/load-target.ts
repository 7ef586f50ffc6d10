import { type ArchiveImage, type ImageName, titleOf } from '#archive/archive-image';
import { imageCommits, type KnownCommits } from '#archive/image-commits';
import { platformsText } from '#archive/images-of';
import type { CommitId, EncodedCommit } from '#core/commit';
import { unreachable, VarveError } from '#core/error';
import { type RefName, type RepositoryName, shortRefName } from '#core/name';
import type { ReceivedLayer } from '#layer/receive-layer';

/**
 * An image on its way into a repository. `commits`: parents before children, the last is what `refs` will hold.
 * `stacks`: the layers of each platform, lowest first; `layers`: those of all, each once.
 */
export interface ImageTarget {
  readonly title: string;
  readonly image: ArchiveImage<ReceivedLayer>;
  readonly commits: readonly EncodedCommit[];
  readonly tip: CommitId;
  readonly stacks: readonly (readonly ReceivedLayer[])[];
  readonly layers: readonly ReceivedLayer[];
  readonly refs: readonly RefName[];
}

/** What an archive has for one repository. No ref stands twice. */
export interface RepositoryTarget {
  readonly repo: RepositoryName;
  readonly images: readonly ImageTarget[];
}

/**
 * Sorts images into repositories: all into `repo` where it is given, else each where its names say.
 * @throws REQUEST_INVALID (an image names no repository and none was given; two images for one ref), UNSUPPORTED (they
 *   are for several platforms, and no index says that they are one), COMMIT_INVALID, LIMIT_EXCEEDED
 * @see design 0 "Repository and ref of a load"
 */
export function repositoryTargets(
  images: readonly ArchiveImage<ReceivedLayer>[],
  repo: RepositoryName | null,
): readonly RepositoryTarget[] {
  const byRepository = new Map<RepositoryName, Map<CommitId, ImageTarget>>();
  const nowhere: string[] = [];
  const known: KnownCommits = new Map();
  for (const image of images) {
    const commits = imageCommits(image, known);
    for (const name of image.names) {
      const at = repo ?? name.repository;
      if (at === null) nowhere.push(titleOf(image));
      else add(targetsAt(byRepository, at), { image, commits, name });
    }
  }
  if (nowhere.length > 0) throw noRepository(nowhere);
  const targets = [...byRepository].map(([name, tips]) => ({ repo: name, images: [...tips.values()] }));
  targets.forEach(checkRefs);
  return targets;
}

function stacksOf(image: ArchiveImage<ReceivedLayer>): readonly (readonly ReceivedLayer[])[] {
  switch (image.type) {
    case 'stacked':
      return [image.layers];
    case 'chained':
      return [image.chain.map(({ layer }) => layer)];
    case 'indexed':
      return image.members.map((member) => member.image.layers);
    default:
      return unreachable(image);
  }
}

/** A stack may have a layer twice, and counts it twice; platforms share theirs. */
function layersOf(stacks: readonly (readonly ReceivedLayer[])[]): readonly ReceivedLayer[] {
  return stacks.length === 1 ? (stacks[0] ?? []) : [...new Set(stacks.flat())];
}

type Tips = Map<CommitId, ImageTarget>;

function targetsAt(byRepository: Map<RepositoryName, Tips>, repo: RepositoryName): Tips {
  const tips = byRepository.get(repo) ?? new Map<CommitId, ImageTarget>();
  byRepository.set(repo, tips);
  return tips;
}

function add(
  tips: Tips,
  { image, commits, name }: { image: ArchiveImage<ReceivedLayer>; commits: readonly EncodedCommit[]; name: ImageName },
): void {
  const tip = (commits.at(-1) as EncodedCommit).id;
  const stacks = stacksOf(image);
  const fresh = { title: titleOf(image), image, commits, tip, stacks, layers: layersOf(stacks), refs: [] };
  const known = tips.get(tip) ?? fresh;
  tips.set(tip, { ...known, refs: [...new Set([...known.refs, name.ref])] });
}

function checkRefs({ repo, images }: RepositoryTarget): void {
  const holders = new Map<RefName, ImageTarget[]>();
  for (const image of images) {
    for (const ref of image.refs) holders.set(ref, [...(holders.get(ref) ?? []), image]);
  }
  for (const [ref, all] of holders) if (all.length > 1) throw severalImages(repo, ref, all);
}

function noRepository(titles: readonly string[]): VarveError {
  const message = `the archive does not say which repository ${titles.join(', ')} goes to; name one`;
  return new VarveError('REQUEST_INVALID', message, { images: titles });
}

function severalImages(repo: RepositoryName, ref: RefName, images: readonly ImageTarget[]): VarveError {
  const titles = images.map(({ title, image }) => `${title} (${platformsText(image)})`);
  const platforms = new Set(images.map(({ image }) => platformsText(image)));
  const message = `${shortRefName(ref)} of ${repo} would be ${images.length} images: ${titles.join(', ')}`;
  const detail = { repository: repo, ref, images: images.map(({ tip }) => tip) };
  return platforms.size === images.length
    ? new VarveError('UNSUPPORTED', `${message}; choose one platform`, { ...detail, platforms: [...platforms] })
    : new VarveError('REQUEST_INVALID', `${message}; load them into repositories of their own`, detail);
}
