import { decodeCommit } from '#core/commit';
import type { Digest } from '#core/digest';
import { isVarveError } from '#core/error';
import type { Event, NamedBlob, Proposal } from '#core/event';

/**
 * Layers and documents that the commits of a record name and the record itself brings no copy of: they were known in its
 * partition already.
 */
export function leftOut(event: Event): ReadonlySet<Digest> {
  if (!('commits' in event)) return new Set();
  const brought = new Set(event.blobs.flatMap(({ digest, layer }) => (layer ? [digest, layer.diffId] : [digest])));
  return new Set(event.commits.flatMap(namedBy).filter((digest) => !brought.has(digest)));
}

function namedBy(bytes: Proposal['commits'][number]): readonly Digest[] {
  try {
    const { layers, config, manifest } = decodeCommit(bytes).commit;
    return [...layers, config, manifest?.digest ?? null].filter((digest) => digest !== null);
  } catch (error) {
    // No commit, so it will be refused for what it is.
    if (isVarveError(error)) return [];
    throw error;
  }
}

/**
 * Copies that the records of a partition have named so far, of the layers and documents that later records leave out. A
 * repository that is moved away from its neighbours takes along what they had brought. @see event-log 1.6 rule 4
 */
export class KnownCopies {
  readonly #wanted: ReadonlySet<Digest>;
  readonly #copies = new Map<Digest, NamedBlob[]>();

  constructor(wanted: ReadonlySet<Digest>) {
    this.#wanted = wanted;
  }

  /** The first live copy of each, as far as there is one. */
  of(digests: ReadonlySet<Digest>): readonly NamedBlob[] {
    const first = [...digests].map((digest) => this.#copies.get(digest)?.[0]).filter((copy) => copy !== undefined);
    return [...new Set(first)];
  }

  /** The next record of the partition. */
  see(event: Event): void {
    if ('commits' in event) {
      for (const blob of event.blobs) {
        for (const name of new Set([blob.digest, ...(blob.layer ? [blob.layer.diffId] : [])])) this.#add(name, blob);
      }
    } else if (event.type === 'gc.fence.v1') this.#retire(event.blobs);
  }

  #add(name: Digest, blob: NamedBlob): void {
    if (!this.#wanted.has(name)) return;
    const known = this.#copies.get(name) ?? [];
    if (!known.some(({ digest, incarnation }) => digest === blob.digest && incarnation === blob.incarnation))
      this.#copies.set(name, [...known, blob]);
  }

  /** From a fence on, nothing may name them. */
  #retire(copies: readonly Pick<NamedBlob, 'digest' | 'incarnation'>[]): void {
    if (copies.length === 0) return;
    const retired = new Set(copies.map(({ digest, incarnation }) => `${digest} ${incarnation}`));
    for (const [name, known] of this.#copies) {
      const live = known.filter(({ digest, incarnation }) => !retired.has(`${digest} ${incarnation}`));
      if (live.length < known.length) this.#copies.set(name, live);
    }
  }
}
