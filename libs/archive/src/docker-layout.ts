import { VarveError } from '#core/error';
import { JsonPlace } from '#core/json-place';
import { limit } from '#core/limit';
import { mediaType } from '#core/media-type';
import type { ArchiveContents } from './archive-contents.js';
import type { ArchiveDocument, StackedImage, StoredLayer } from './archive-image.js';
import { invalid } from './entry-name.js';
import { parseImageName, unnamed } from './image-name.js';
import { stackedImage } from './stacked-image.js';

/**
 * The images that `manifest.json` names: docker 1.10 and later, podman, skopeo. The `<id>/` folders beside it are the
 * same layers over again and are not read; their ids are made up by the writer and become no alias (design 0).
 */
export function dockerImages<Layer extends StoredLayer>(contents: ArchiveContents<Layer>): StackedImage<Layer>[] {
  const document = contents.document('manifest.json');
  if (!document) return [];
  const root = JsonPlace.parse(document.bytes, 'manifest.json', 'ARCHIVE_INVALID');
  if (!root.isArray()) throw root.fault('an array of images');
  return root.items(limit.archiveImagesMax).map((place) => dockerImage(contents, place));
}

function dockerImage<Layer extends StoredLayer>(
  contents: ArchiveContents<Layer>,
  place: JsonPlace,
): StackedImage<Layer> {
  const names = place
    .get('RepoTags')
    .items(limit.archiveImagesMax)
    .map((tag) => parseImageName(tag.text()));
  const layers = place
    .get('Layers')
    .items(limit.layersPerImageMax)
    .map((layer) => {
      const path = layer.text();
      return present(contents.layer(path), path);
    });
  return stackedImage({
    names: names.length > 0 ? names : [unnamed],
    configDocument: configAt(contents, place.get('Config').text()),
    configMediaType: mediaType.dockerConfig,
    manifest: null,
    layers,
  });
}

/** A config is called after its digest by every writer but jib; where it is, the bytes must be the ones meant. */
function configAt(contents: ArchiveContents<StoredLayer>, path: string): ArchiveDocument {
  const document = present(contents.document(path), path);
  const hex = /(?:^|[/:])([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  if (hex !== undefined && document.digest !== `sha256:${hex}`) {
    throw new VarveError('DIGEST_MISMATCH', `config ${path} has the digest ${document.digest}`, {
      entry: path,
      expected: `sha256:${hex}`,
      actual: document.digest,
    });
  }
  return document;
}

function present<T>(found: T | undefined, path: string): T {
  if (found === undefined) {
    throw invalid(path, 'what is named is there', `manifest.json names ${path}, which is not in the archive`);
  }
  return found;
}
