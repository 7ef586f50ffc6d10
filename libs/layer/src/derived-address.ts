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

/** An index of so many bytes of tar is made in less time than it takes to read a stored one. */
const smallLayerBytesMax = 64 << 10;

/**
 * Whether a layer's index is stored beside it. That of a small one whose tar is stored plainly (`isPlain`) is made from
 * the tar whenever it is asked for, so that a small commit writes one object. @see docs/decision/0009-small-layers.md
 */
export function keepsIndex({ tarBytes, isPlain }: { readonly tarBytes: number; readonly isPlain: boolean }): boolean {
  return !isPlain || tarBytes > smallLayerBytesMax;
}
