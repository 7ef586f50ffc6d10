import { assert } from '#core/error';
import { type Digest, DigestBuilder } from '#core/digest';
import type { BlobAddress, StagedBlob } from '#ports/blob-store';

/** Where the bytes of a blob wait, and what makes them visible once it is known what they are. */
export interface HashedPlace {
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly seal: (digest: Digest) => Promise<BlobAddress>;
  readonly discard: () => Promise<void>;
}

/** A blob that is hashed on its way in. The place may take the bytes on another thread meanwhile. */
export function hashedBlob({ write, seal, discard }: HashedPlace): StagedBlob {
  const hash = new DigestBuilder();
  let digest: Digest | undefined;
  return {
    write: async (bytes) => {
      const written = write(bytes);
      hash.update(bytes);
      await written;
    },
    finish: async () => {
      digest = hash.digest();
      return { digest, size: hash.size };
    },
    seal: async () => {
      assert(digest, 'a blob is sealed after it is finished');
      return seal(digest);
    },
    discard,
  };
}
