import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import type { LogRecord } from '#core/event';
import { type BlobRow, type Change, isNamedCopy, keptStretches, type PartitionRow } from '#core/graph-row';
import type { BlobAddress } from '#ports/blob-store';
import type { GraphStore } from '#ports/graph-store';
import { project, type Projected } from '#projection/project';
import { wrapGraph } from '../fixture/wrapped-stores.js';
import { law } from './law.js';
import type { Wrap } from './simulated-cluster.js';
import type { SimulatedBlobs } from './simulated-blobs.js';
import type { SimulatedLog } from './simulated-log.js';

interface Watched {
  readonly log: SimulatedLog;
  readonly blobs: SimulatedBlobs;
  readonly wrapProjector: Wrap;
  /** Is told of a law that did not hold, where nobody would hear of it. */
  readonly onBroken: (error: unknown) => void;
}

/**
 * What the log says in the instant it is appended: the graph of somebody who is never late, and never goes back. What
 * happens to a blob is judged by it there and then.
 */
export class Truth {
  readonly graph: GraphStore;
  /** Copies that a partition remembers no more. */
  forgotten = 0;
  /** Stretches of the log whose outcomes a partition remembers no more. */
  expired = 0;
  readonly #blobs: SimulatedBlobs;
  readonly #named = new Set<string>();
  readonly #at: Projected[] = [];
  #folded: Promise<void> = Promise.resolve();

  constructor({ log, blobs, wrapProjector, onBroken }: Watched) {
    this.#blobs = blobs;
    const memory = openMemoryGraphStore(log.partitionCount);
    const watched = wrapGraph(memory, {
      apply: async (partition, batch) => {
        for (const change of batch.changes) this.#see(change);
        return memory.apply(partition, batch);
      },
    });
    this.graph = wrapProjector({ log: log.portOf({ name: 'truth', state: 'awake' }), graph: watched }).graph;
    log.onStored = (partition, record) => {
      this.#folded = this.#folded.then(() => this.#fold(partition, record)).catch(onBroken);
    };
    blobs.onDelete = (copy) => {
      try {
        law('I11', !this.#named.has(nameOf(copy)), `${nameOf(copy)} is deleted, and an accepted proposal names it`);
      } catch (error) {
        onBroken(error);
      }
    };
  }

  /** Whether a proposal that was accepted names the copy. */
  isNamed(copy: BlobAddress): boolean {
    return this.#named.has(nameOf(copy));
  }

  async #fold(partition: number, record: LogRecord): Promise<void> {
    const at = this.#at[partition] ?? (await this.graph.checkpoint(partition));
    this.#at[partition] = (await project(this.graph, partition, at, [record])) ?? at;
  }

  #see(change: Change): void {
    if (change.type === 'partition') this.expired += firstKept(change.after) - firstKept(change.before);
    if (change.type !== 'blob') return;
    const { before, after } = change;
    if (!after) this.forgotten += 1;
    if (before && isNamedCopy(before)) {
      law(
        'I11',
        after !== null && isNamedCopy(after),
        `${nameOf(before)} is forgotten, and an accepted proposal names it`,
      );
    } else if (after && isNamedCopy(after)) this.#bind(after);
  }

  #bind(after: BlobRow): void {
    this.#named.add(nameOf(after));
    law('I7', this.#blobs.holds(after), `${nameOf(after)} is named by an accepted proposal, and is not stored`);
  }
}

function firstKept(partition: PartitionRow): number {
  return keptStretches(partition).first;
}

function nameOf({ digest, incarnation }: BlobAddress | BlobRow): string {
  return `${digest} ${incarnation}`;
}
