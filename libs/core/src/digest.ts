import { createHash, hash, type Hash } from 'node:crypto';
import { VarveError } from './error.js';

/** `sha256:` and 64 lower-case hex digits. Only this file makes one. @see OCI image-spec, descriptor.md */
export type Digest = string & { readonly __brand: 'Digest' };

/** The digest of a layer's uncompressed tar. @see OCI image-spec, config.md "Layer DiffID" */
export type DiffId = Digest & { readonly __layer: 'DiffId' };

/** The digest of an ordered stack of layers. @see OCI image-spec, config.md "Layer ChainID" */
export type ChainId = Digest & { readonly __stack: 'ChainId' };

const digestPattern = /^sha256:[0-9a-f]{64}$/;
const hexPattern = /^[0-9a-f]{64}$/;

/** @throws DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (!digestPattern.test(text)) {
    throw new VarveError('DIGEST_INVALID', `"${text}" is not a digest: expected sha256: and 64 lower-case hex digits`, {
      text,
    });
  }
  return text as Digest;
}

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

export function digestFromHex(hex: string): Digest {
  if (!hexPattern.test(hex))
    throw new VarveError('DIGEST_INVALID', `"${hex}" is not 64 lower-case hex digits`, { hex });
  return `sha256:${hex}` as Digest;
}

export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}` as Digest;
}

/** A digest of bytes that arrive in pieces. `digest()` may be called once. */
export class DigestBuilder {
  readonly #hash: Hash = createHash('sha256');
  #size = 0;

  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}` as Digest;
  }
}

/** The chainID of a stack without layers: the digest of nothing. OCI leaves it undefined. */
export const emptyChainId = digestOf('') as ChainId;

/** Puts one layer on a stack. `chainId(L0) = L0`; `chainId(L0…Ln) = sha256(chainId(L0…Ln-1) + " " + Ln)`. */
export function extendChain(chain: ChainId, layer: DiffId): ChainId {
  if (chain === emptyChainId) return layer as Digest as ChainId;
  return digestOf(`${chain} ${layer}`) as ChainId;
}

export function chainIdOf(layers: readonly DiffId[]): ChainId {
  return layers.reduce(extendChain, emptyChainId);
}
