import { join } from 'node:path';
import { type Digest, hexOf } from '#core/digest';
import { VarveError } from '#core/error';
import { type BlobAddress, type DerivedAddress, isDerived } from '#ports/blob-store';

/**
 * Where things lie under the root:
 *
 *     blobs/sha256/<aa>/<hex>/<incarnation>     the truth; fsynced
 *     derived/<kind>/v<version>/<aa>/<hex>      can be made again
 *     staging/<random>                          on its way in; nobody reads it
 *
 * `<aa>` is the first two digits, so that no folder gets long.
 */
export class BlobLayout {
  readonly root: string;

  /** `root` is absolute. */
  constructor(root: string) {
    this.root = root;
  }

  /** What there always is, parents before children. */
  get folders(): readonly string[] {
    return [this.root, join(this.root, 'blobs'), this.blobs, join(this.root, 'derived'), this.staging];
  }

  get staging(): string {
    return join(this.root, 'staging');
  }

  get blobs(): string {
    return join(this.root, 'blobs', 'sha256');
  }

  /** The folder of all incarnations of a blob. */
  incarnations(digest: Digest): string {
    return join(this.blobs, fan(digest), hexOf(digest));
  }

  derived(kind: DerivedAddress['kind']): string {
    return join(this.root, 'derived', kind);
  }

  derivedFolder({ kind, version, key }: DerivedAddress): string {
    return join(this.derived(kind), `v${version}`, fan(key));
  }

  /** Undefined for an incarnation that this store cannot have made: it may come from a hostile record or request. */
  fileOf(address: BlobAddress | DerivedAddress): string | undefined {
    if (isDerived(address)) return this.derivedFile(address);
    if (!isIncarnation(address.incarnation)) return undefined;
    return join(this.incarnations(address.digest), address.incarnation);
  }

  derivedFile(address: DerivedAddress): string {
    return join(this.derivedFolder(address), hexOf(address.key));
  }
}

export function isIncarnation(name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name);
}

export function unknownBlob(address: BlobAddress | DerivedAddress): VarveError {
  const name = isDerived(address)
    ? `${address.kind} v${address.version} of ${address.key}`
    : `${address.digest}, incarnation ${address.incarnation}`;
  return new VarveError('BLOB_UNKNOWN', `the store does not hold ${name}`, { address });
}

function fan(digest: Digest): string {
  return hexOf(digest).slice(0, 2);
}
