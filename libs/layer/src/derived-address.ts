import type { DiffId } from '#core/digest';
import type { DerivedAddress } from '#ports/blob-store';
import { layerIndexVersion } from '#tar/layer-index';

/** The plain tar of a compressed layer. Version 1 is the tar itself, byte for byte. */
export function seekableAddress(diffId: DiffId): DerivedAddress {
  return { kind: 'seekable', version: 1, key: diffId };
}

export function indexAddress(diffId: DiffId): DerivedAddress {
  return { kind: 'index', version: layerIndexVersion, key: diffId };
}
