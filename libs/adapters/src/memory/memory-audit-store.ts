import { VarveError } from '#core/error';
import type { AuditAlarm, AuditBatch, AuditRow, AuditStore, AuditTreeSize } from '#ports/audit-store';
import { AuditNotices } from '../audit-notices.js';

const batchRows = 256;

/** Audit trees that live as long as the process. */
export function openMemoryAuditStore(): AuditStore {
  return new MemoryAuditStore();
}

interface Tree {
  readonly rows: AuditRow[];
  readonly paths: Uint8Array[];
  readonly tiles: Map<string, Uint8Array>;
  checkpoint: string | undefined;
}

class MemoryAuditStore implements AuditStore {
  readonly #trees = new Map<number, Tree>();
  readonly #notices = new AuditNotices();
  #logId: string | undefined;
  #key: string | undefined;

  async bind(logId: string): Promise<void> {
    this.#logId ??= logId;
    if (this.#logId !== logId) {
      throw new VarveError('CONFIG_INVALID', `the audit store is of log ${this.#logId}; the log is ${logId}`);
    }
  }

  async size(tree: number): Promise<AuditTreeSize> {
    const { rows, paths } = this.#tree(tree);
    return { entries: rows.length, moves: paths.length };
  }

  async append(number: number, { from, rows, paths, tiles }: AuditBatch): Promise<boolean> {
    const tree = this.#tree(number);
    if (tree.rows.length !== from.entries || tree.paths.length !== from.moves) return false;
    tree.rows.push(...rows);
    tree.paths.push(...paths);
    for (const { level, index, hashes } of tiles) tree.tiles.set(`${level} ${index}`, hashes);
    return true;
  }

  async entries(tree: number, from: number, to: number): Promise<readonly AuditRow[]> {
    return this.#tree(tree).rows.slice(from, to);
  }

  async tile(tree: number, level: number, index: number): Promise<Uint8Array | undefined> {
    return this.#tree(tree).tiles.get(`${level} ${index}`);
  }

  async path(tree: number, n: number): Promise<Uint8Array | undefined> {
    return this.#tree(tree).paths[n];
  }

  async *search(tree: number, { from, to, texts }: { from: number; to: number; texts: readonly string[] }) {
    const { rows } = this.#tree(tree);
    for (let at = from; at < Math.min(to, rows.length); at += batchRows) {
      const found = rows
        .slice(at, Math.min(to, at + batchRows))
        .filter(({ about }) => texts.every((text) => about.includes(text)));
      if (found.length > 0) yield found;
    }
  }

  async checkpoint(tree: number): Promise<string | undefined> {
    return this.#tree(tree).checkpoint;
  }

  async publish(number: number, before: string | undefined, next: string): Promise<boolean> {
    const tree = this.#tree(number);
    if (tree.checkpoint !== before) return false;
    tree.checkpoint = next;
    return true;
  }

  async introduce(key: string): Promise<void> {
    this.#key = key;
  }

  async key(): Promise<string | undefined> {
    return this.#key;
  }

  async wish(tree: number): Promise<void> {
    this.#notices.wish(tree);
  }

  onWish(listener: (tree: number) => void): () => void {
    return this.#notices.onWish(listener);
  }

  async raise(alarm: AuditAlarm | undefined): Promise<void> {
    this.#notices.alarm = alarm;
  }

  async alarm(): Promise<AuditAlarm | undefined> {
    return this.#notices.alarm;
  }

  async close(): Promise<void> {}

  #tree(number: number): Tree {
    const known = this.#trees.get(number);
    if (known) return known;
    const made: Tree = { rows: [], paths: [], tiles: new Map(), checkpoint: undefined };
    this.#trees.set(number, made);
    return made;
  }
}
