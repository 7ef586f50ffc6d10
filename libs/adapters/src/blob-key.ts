import { type Digest, hexOf } from '#core/digest';
import { VarveError } from '#core/error';
import { type BlobAddress, type DerivedAddress, isDerived } from '#ports/blob-store';

/**
 * Where things lie in a store of names with slashes, a folder or a bucket. One can be copied into the other.
 *
 *     blobs/sha256/<aa>/<hex>/<incarnation>     the truth
 *     derived/<kind>/v<version>/<aa>/<hex>      can be made again
 *     staging/<random>                          on its way in; nobody reads it
 *
 * `<aa>` is the first two digits, so that no folder gets long. Undefined for an incarnation that no store can have made:
 * it may come from a hostile record or request.
 */
export function keyOf(address: BlobAddress | DerivedAddress): string | undefined {
  if (isDerived(address)) {
    return `derived/${address.kind}/v${address.version}/${fan(address.key)}/${hexOf(address.key)}`;
  }
  if (!isIncarnation(address.incarnation)) return undefined;
  return `blobs/sha256/${fan(address.digest)}/${hexOf(address.digest)}/${address.incarnation}`;
}

/** The first two digits. */
export function fan(digest: Digest): string {
  return hexOf(digest).slice(0, 2);
}

export function isIncarnation(name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name);
}

/** Names what is missing. */
export function unknownBlob(address: BlobAddress | DerivedAddress): VarveError {
  const name = isDerived(address)
    ? `${address.kind} v${address.version} of ${address.key}`
    : `${address.digest}, incarnation ${address.incarnation}`;
  return new VarveError('BLOB_UNKNOWN', `the store does not hold ${name}`, { address });
}
