import { VarveError } from '#core/error';
import { parseImageConfig } from '#core/image-config';
import type { ArchiveDocument, StackedImage, StoredLayer } from './archive-image.js';

/**
 * Puts config and layers together, checked against each other.
 * @throws MANIFEST_INVALID when they are not as many; DIGEST_MISMATCH when a layer is not the one the config lists
 */
export function stackedImage<Layer extends StoredLayer>(
  parts: Omit<StackedImage<Layer>, 'type' | 'config'>,
): StackedImage<Layer> {
  const name = configTitle(parts.configDocument);
  const config = parseImageConfig(parts.configDocument.bytes, name);
  const { layers } = parts;
  if (config.diffIds.length !== layers.length) {
    throw new VarveError(
      'MANIFEST_INVALID',
      `${name} lists ${config.diffIds.length} layers in rootfs.diff_ids, its manifest names ${layers.length}`,
      { config: parts.configDocument.digest, diffIds: config.diffIds.length, layers: layers.length },
    );
  }
  for (const [i, expected] of config.diffIds.entries()) {
    const actual = layers[i]?.diffId;
    if (actual === expected) continue;
    throw new VarveError('DIGEST_MISMATCH', `layer ${i} of ${name} is ${actual}; rootfs.diff_ids says ${expected}`, {
      config: parts.configDocument.digest,
      layer: i,
      expected,
      actual,
    });
  }
  return { type: 'stacked', config, ...parts };
}

function configTitle(document: ArchiveDocument): string {
  return `config ${document.path}`;
}
