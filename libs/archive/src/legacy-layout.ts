import { VarveError } from '#core/error';
import { instantAt } from '#core/image-config';
import { JsonPlace } from '#core/json-place';
import { limit } from '#core/limit';
import { platformAt } from '#core/manifest';
import type { ArchiveContents } from './archive-contents.js';
import type { ChainedImage, ImageName, StoredLayer, V1Config, V1Image } from './archive-image.js';
import { invalid } from './entry-name.js';
import { parseImageName, unnamed } from './image-name.js';

const folderPattern = /^([0-9a-f]{64})\/json$/;

/** Whether the archive has `<64 hex>/json` entries: docker before 1.10. */
export function isLegacy(contents: ArchiveContents<StoredLayer>): boolean {
  return contents.names().some((name) => folderPattern.test(name));
}

/**
 * The images of an archive without manifest.json, as `docker save` wrote them until 1.9: one folder per layer, the
 * parent in each `json`, names in `repositories`. Every head of a chain that no name points at is an image without name.
 * @throws ARCHIVE_INVALID for a cycle, a missing parent or layer, an id that is not its folder's
 */
export function legacyImages<Layer extends StoredLayer>(contents: ArchiveContents<Layer>): ChainedImage<Layer>[] {
  const folders = readFolders(contents);
  const namesOf = readRepositories(contents, folders);
  for (const head of headsOf(folders)) if (!namesOf.has(head)) namesOf.set(head, [unnamed]);
  checkParents(folders);
  if (namesOf.size > limit.archiveImagesMax) throw tooMany('images', limit.archiveImagesMax);
  const images: ChainedImage<Layer>[] = [];
  // Images share most of their chains; so few folders and many names could stand for more steps than there are entries.
  let steps = 0;
  for (const [id, names] of namesOf) {
    const chain = chainOf(id, folders);
    steps += chain.length;
    if (steps > limit.archiveEntriesMax) throw tooMany('steps in its images', limit.archiveEntriesMax);
    images.push({ type: 'chained', names, chain });
  }
  return images;
}

function tooMany(what: string, max: number): VarveError {
  return new VarveError('LIMIT_EXCEEDED', `the archive has more than ${max} ${what}`, { limit: max });
}

type Folders<Layer extends StoredLayer> = ReadonlyMap<string, V1Image<Layer>>;

function readFolders<Layer extends StoredLayer>(contents: ArchiveContents<Layer>): Folders<Layer> {
  const folders = new Map<string, V1Image<Layer>>();
  for (const name of contents.names()) {
    const id = folderPattern.exec(name)?.[1];
    const document = id === undefined ? undefined : contents.document(name);
    if (id === undefined || !document) continue;
    const layer = contents.layer(`${id}/layer.tar`);
    if (!layer) throw invalid(name, 'a layer has its tar', `${id}/layer.tar is not in the archive, ${name} is`);
    folders.set(id, { config: readConfig(document.bytes, name, id), document, layer });
  }
  return folders;
}

function readConfig(bytes: Uint8Array, name: string, folder: string): V1Config {
  const root = JsonPlace.parse(bytes, name, 'ARCHIVE_INVALID');
  const id = root.get('id').text();
  if (id !== folder) throw invalid(name, 'a json has the id of its folder', `${name} has the id ${id}`);
  const parent = root.get('parent').textOr('');
  if (parent !== '' && !/^[0-9a-f]{64}$/.test(parent)) throw root.get('parent').fault('64 lower-case hex digits');
  return {
    id,
    parent: parent === '' ? null : parent,
    platform: platformAt(root) ?? linuxPlatformAt(root),
    time: instantAt(root.get('created')),
    author: root.get('author').textOr(''),
    createdBy: commandAt(root.get('container_config').get('Cmd')),
    comment: root.get('comment').textOr(''),
  };
}

/** Until 2014 docker wrote the architecture alone: there was one system. */
function linuxPlatformAt(root: JsonPlace): V1Config['platform'] {
  const architecture = root.get('architecture').textOr('');
  return architecture === '' ? null : { architecture, os: 'linux', variant: null };
}

/** The words of a command, as `docker history` joins them; old versions wrote one text. */
function commandAt(place: JsonPlace): string {
  if (place.exists && place.isText()) return place.text();
  return place
    .items(limit.archiveEntriesMax)
    .map((word) => word.text())
    .join(' ');
}

/** `repositories`: {name: {tag: id}}. Absent when images were saved by id. */
function readRepositories(
  contents: ArchiveContents<StoredLayer>,
  folders: Folders<StoredLayer>,
): Map<string, ImageName[]> {
  const names = new Map<string, ImageName[]>();
  const document = contents.document('repositories');
  if (!document) return names;
  const root = JsonPlace.parse(document.bytes, 'repositories', 'ARCHIVE_INVALID');
  for (const [name, tags] of root.members()) {
    for (const [tag, place] of tags.members()) {
      const id = place.text();
      if (!folders.has(id)) {
        throw invalid(
          'repositories',
          'what is named is there',
          `repositories names ${name}:${tag} ${id}, which is not in the archive`,
        );
      }
      names.set(id, [...(names.get(id) ?? []), parseImageName(`${name}:${tag}`)]);
    }
  }
  return names;
}

function headsOf(folders: Folders<StoredLayer>): string[] {
  const parents = new Set([...folders.values()].map(({ config }) => config.parent));
  return [...folders.keys()].filter((id) => !parents.has(id));
}

/** Every parent is there, and every chain ends: each folder is walked once. */
function checkParents(folders: Folders<StoredLayer>): void {
  const sound = new Set<string>();
  for (const start of folders.keys()) {
    const path = new Set<string>();
    for (let id: string | null = start; id !== null && !sound.has(id);) {
      if (path.has(id)) {
        throw invalid(`${id}/json`, 'parents end', `the layer ${id} is its own ancestor, over ${path.size} parents`);
      }
      path.add(id);
      id = parentOf(id, folders);
    }
    for (const id of path) sound.add(id);
  }
}

function parentOf(id: string, folders: Folders<StoredLayer>): string | null {
  const parent = folders.get(id)?.config.parent ?? null;
  if (parent !== null && !folders.has(parent)) {
    throw invalid(`${id}/json`, 'parents are there', `the parent of ${id} is ${parent}, which is not in the archive`);
  }
  return parent;
}

/** The folders from the root of the chain up to `head`. */
function chainOf<Layer extends StoredLayer>(head: string, folders: Folders<Layer>): V1Image<Layer>[] {
  const chain: V1Image<Layer>[] = [];
  for (let id: string | null = head; id !== null;) {
    const folder = folders.get(id) as V1Image<Layer>;
    chain.push(folder);
    id = folder.config.parent;
    if (chain.length > limit.layersPerImageMax) {
      throw new VarveError('LIMIT_EXCEEDED', `${head} stands on more than ${limit.layersPerImageMax} layers`, { head });
    }
  }
  return chain.toReversed();
}
