import { join } from 'node:path';
import { type Digest, hexOf } from '#core/digest';
import type { BlobAddress, DerivedAddress } from '#ports/blob-store';
import { fan, keyOf } from '../blob-key.js';

/** The names of a store under its root. Blobs are fsynced, what is derived is not. */
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

  /** Undefined for what this store cannot have made. */
  fileOf(address: BlobAddress | DerivedAddress): string | undefined {
    const key = keyOf(address);
    return key === undefined ? undefined : join(this.root, key);
  }

  derivedFile(address: DerivedAddress): string {
    return join(this.derivedFolder(address), hexOf(address.key));
  }
}
