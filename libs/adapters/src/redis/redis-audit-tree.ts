import { randomBytes } from 'node:crypto';
import { assert, VarveError } from '#core/error';
import type { AuditBatch, AuditRow } from '#ports/audit-store';
import type { AuditEdge } from './audit-checkpoints.js';
import { decodeRow, encodeRow, rowHas } from './audit-codec.js';
import type { AuditPieces } from './audit-pieces.js';
import { type Arguments, type AuditClient, type AuditTreeState, stateFields, stateOf } from './audit-state.js';

/** Rows in a piece are those of a full tile; paths are longer, and asked for one by one. */
export const rowsPerPiece = 256;
export const pathsPerPiece = 128;
const fullTileBytes = 256 * 32;
/** Another process may let go of what is being read: then it lies in a piece. */
const looksMax = 50;
const piecesAtOnce = 4;

/**
 * The right-hand edge of one audit tree in Redis, and its full pieces behind it. What is appended is decided in Redis,
 * in one step; what is full goes into pieces after that, and out of Redis: so a piece holds what was decided, whoever
 * wrote it, and Redis holds no more of a tree than one piece of each kind.
 *
 * | key | type | content |
 * | --- | --- | --- |
 * | `…:state` | hash | entries, moves, rows and paths (pieces of them), number, note, life, call |
 * | `…:rows`, `…:paths` | hash | number → bytes, of the ones that are in no piece |
 * | `…:tiles` | hash | `LEVEL INDEX` → hashes, of tiles that grow |
 */
export class RedisAuditTree {
  readonly #client: AuditClient;
  readonly #pieces: AuditPieces;
  readonly #tree: number;
  readonly #look: () => Promise<AuditTreeState>;
  readonly #keys: readonly [state: string, rows: string, paths: string, tiles: string];

  /** `look` tells where the tree is, and puts it back first when it has lost what was promised. */
  constructor(options: {
    readonly client: AuditClient;
    readonly pieces: AuditPieces;
    readonly tree: number;
    readonly start: string;
    readonly look: () => Promise<AuditTreeState>;
  }) {
    const { start } = options;
    this.#client = options.client;
    this.#pieces = options.pieces;
    this.#tree = options.tree;
    this.#look = options.look;
    this.#keys = [`${start}state`, `${start}rows`, `${start}paths`, `${start}tiles`];
  }

  async state(): Promise<AuditTreeState> {
    return stateOf(await this.#client.hmget(this.#keys[0], ...stateFields));
  }

  async append({ from, rows, paths, tiles }: AuditBatch): Promise<boolean> {
    const args: Arguments = [from.entries, from.moves, from.entries + rows.length, from.moves + paths.length];
    args.push(newName(), newName(), rows.length, paths.length, tiles.length);
    rows.forEach((row) => args.push(row.offset, encodeRow(row)));
    paths.forEach((path, i) => args.push(from.moves + i, Buffer.from(path)));
    for (const { level, index, hashes } of tiles) args.push(`${level} ${index}`, Buffer.from(hashes));
    return (await this.#client.varveAuditAppend(...this.#keys, ...args)) === 1;
  }

  /** Whether something is full that lies in Redis yet. */
  isFull({ entries, moves, rowPieces, pathPieces }: AuditTreeState): boolean {
    return entries >= (rowPieces + 1) * rowsPerPiece || moves >= (pathPieces + 1) * pathsPerPiece;
  }

  /** Moves what is full into pieces. @throws UNAVAILABLE, STORAGE_FULL */
  async seal(): Promise<void> {
    const { life, edge } = await this.edge();
    const rows = full(edge.rows, rowsPerPiece);
    const paths = full(edge.paths, pathsPerPiece);
    const tiles = [...edge.tiles].filter(([, { length }]) => length === fullTileBytes);
    const writes = [
      ...rows.map((parts, i) => [{ part: 'rows', index: edge.rowPieces + i }, parts] as const),
      ...paths.map((parts, i) => [{ part: 'paths', index: edge.pathPieces + i }, parts] as const),
      ...tiles.map(([field, hashes]) => [tileNamed(field), [hashes]] as const),
    ];
    if (writes.length === 0) return;
    for (let at = 0; at < writes.length; at += piecesAtOnce) {
      const some = writes.slice(at, at + piecesAtOnce);
      await Promise.all(some.map(([name, parts]) => this.#pieces.write({ tree: this.#tree, ...name }, parts)));
    }
    const counts = [edge.rowPieces, edge.rowPieces + rows.length, edge.pathPieces, edge.pathPieces + paths.length];
    const fields = tiles.map(([field]) => field);
    await this.#client.varveAuditSeal(...this.#keys, life, ...counts, rowsPerPiece, pathsPerPiece, ...fields);
  }

  /** All that Redis has of the tree, as of one moment. */
  async edge(): Promise<{ readonly life: string; readonly edge: AuditEdge }> {
    const [stateKey, ...parts] = this.#keys;
    const asked = this.#client.multi().hgetall(stateKey);
    for (const key of parts) asked.hgetallBuffer(key);
    const answers = (await asked.exec()) ?? [];
    const [held = {}, rows = {}, paths = {}, tiles = {}] = answers.map(([error, answer]) => {
      if (error) throw error;
      return answer as Readonly<Record<string, unknown>>;
    });
    const { life, entries, moves, rowPieces, pathPieces } = stateOf(
      stateFields.map((name) => held[name] as string | null),
    );
    const edge = {
      entries,
      moves,
      rowPieces,
      pathPieces,
      rows: numbered(rows, rowPieces * rowsPerPiece, entries),
      paths: numbered(paths, pathPieces * pathsPerPiece, moves),
      tiles: new Map(Object.entries(tiles as Readonly<Record<string, Buffer>>)),
    };
    return { life, edge };
  }

  /** False when it is not at that number and note. */
  async publish(before: Pick<AuditTreeState, 'number' | 'note'>, number: number, note: string): Promise<boolean> {
    const args = [before.number, before.note ?? '', number, note];
    return (await this.#client.varveAuditPublish(...this.#keys, ...args)) === 1;
  }

  /** Puts it back to an edge that was kept, unless it has that checkpoint or a later one. */
  async restore({ number, note, edge }: { number: number; note: string; edge: AuditEdge }): Promise<void> {
    const { entries, moves, rowPieces, pathPieces, rows, paths, tiles } = edge;
    const args: Arguments = [number, note, entries, moves, newName(), rowPieces, pathPieces];
    args.push(rows.length, paths.length, tiles.size);
    rows.forEach((row, i) => args.push(rowPieces * rowsPerPiece + i, row));
    paths.forEach((path, i) => args.push(pathPieces * pathsPerPiece + i, path));
    for (const [field, hashes] of tiles) args.push(field, hashes);
    await this.#client.varveAuditRestore(...this.#keys, ...args);
  }

  /** Whether the last pieces before the edge are there. */
  async hasPieces({ rowPieces, pathPieces }: Pick<AuditEdge, 'rowPieces' | 'pathPieces'>): Promise<boolean> {
    const has = (part: 'rows' | 'paths', count: number) =>
      count === 0 ? true : this.#pieces.has({ tree: this.#tree, part, index: count - 1 });
    return (await has('rows', rowPieces)) && (await has('paths', pathPieces));
  }

  /** The rows [from, to) as far as there are any. */
  async rows(state: AuditTreeState, from: number, to: number): Promise<readonly AuditRow[]> {
    return this.#stable(state, async ({ entries, rowPieces, life }) => {
      const end = Math.min(to, entries);
      const found: AuditRow[] = [];
      for (let at = from; at < end;) {
        const index = Math.floor(at / rowsPerPiece);
        if (index >= rowPieces) return this.#edgeRows(found, at, end);
        const parts = await this.#pieces.read({ tree: this.#tree, part: 'rows', index }, life);
        const until = Math.min(end, (index + 1) * rowsPerPiece);
        for (; at < until; at += 1) found.push(decodeRow(at, parts[at % rowsPerPiece] as Buffer));
      }
      return found;
    });
  }

  /** One path, of a tree that has it. */
  async path(state: AuditTreeState, n: number): Promise<Uint8Array | undefined> {
    return this.#stable(state, async ({ moves, pathPieces, life }) => {
      if (n >= moves) return { none: true };
      const index = Math.floor(n / pathsPerPiece);
      if (index >= pathPieces) return (await this.#client.hgetBuffer(this.#keys[2], String(n))) ?? undefined;
      return (await this.#pieces.read({ tree: this.#tree, part: 'paths', index }, life))[n % pathsPerPiece];
    }).then((found) => ('none' in found ? undefined : found));
  }

  /** A tile that grows, or a full one; undefined for one that is not there. */
  async tile(state: AuditTreeState, level: number, index: number): Promise<Uint8Array | undefined> {
    const end = (index + 1) * rowsPerPiece ** (level + 1);
    return this.#stable(state, async ({ entries, rowPieces, life }) => {
      if (end > rowPieces * rowsPerPiece) {
        const growing = await this.#client.hgetBuffer(this.#keys[3], `${level} ${index}`);
        if (growing) return growing;
        if (end > entries) return { none: true };
      }
      const parts = await this.#pieces.read({ tree: this.#tree, part: `tile ${level}`, index }, life);
      return parts[0];
    }).then((found) => ('none' in found ? undefined : found));
  }

  /** Rows of a piece that have all of the texts, read past the memory of pieces; or of those that are left at the edge. */
  async find(state: AuditTreeState, index: number, texts: readonly string[]): Promise<readonly AuditRow[]> {
    const first = index * rowsPerPiece;
    if (index >= state.rowPieces) {
      const rows = await this.rows(state, first, first + rowsPerPiece);
      return rows.filter(({ about }) => texts.every((text) => about.includes(text)));
    }
    const wanted = texts.map((text) => Buffer.from(text));
    const parts = await this.#pieces.readOnce({ tree: this.#tree, part: 'rows', index });
    return parts.flatMap((bytes, i) => (rowHas(bytes, wanted) ? [decodeRow(first + i, bytes)] : []));
  }

  /** Undefined when one of them has gone into a piece meanwhile. */
  async #edgeRows(found: AuditRow[], from: number, to: number): Promise<AuditRow[] | undefined> {
    const offsets = Array.from({ length: to - from }, (_, i) => from + i);
    const held = await this.#client.hmgetBuffer(this.#keys[1], ...offsets.map(String));
    if (held.some((bytes) => bytes === null)) return undefined;
    return [...found, ...held.map((bytes, i) => decodeRow(from + i, bytes as Buffer))];
  }

  /** Reads again when what was looked for has moved into a piece between two looks. @throws CORRUPT when it is nowhere */
  async #stable<Found>(first: AuditTreeState, read: (state: AuditTreeState) => Promise<Found | undefined>) {
    let state = first;
    for (let looks = 0; looks < looksMax; looks += 1) {
      const found = await read(state);
      if (found !== undefined) return found;
      const next = await this.#look();
      // Nothing has moved: it is lost.
      if (next.life === state.life && next.rowPieces === state.rowPieces && next.pathPieces === state.pathPieces && looks > 0) break; // prettier-ignore
      state = next;
    }
    const message = `the audit tree ${this.#tree} in Redis has lost a part of its edge: delete its keys, and it is put back to its last checkpoint`;
    throw new VarveError('CORRUPT', message, { tree: this.#tree });
  }
}

function newName(): string {
  return randomBytes(12).toString('hex');
}

/** Fields `from` to `to` in order. */
function numbered(fields: Readonly<Record<string, unknown>>, from: number, to: number): Buffer[] {
  return Array.from({ length: to - from }, (_, i) => {
    const bytes = fields[String(from + i)];
    assert(bytes instanceof Buffer, `the edge has number ${from + i}`);
    return bytes;
  });
}

function full<Part>(parts: readonly Part[], perPiece: number): Part[][] {
  const count = Math.floor(parts.length / perPiece);
  return Array.from({ length: count }, (_, i) => parts.slice(i * perPiece, (i + 1) * perPiece));
}

function tileNamed(field: string): { readonly part: `tile ${number}`; readonly index: number } {
  const [level, index] = field.split(' ').map(Number) as [number, number];
  return { part: `tile ${level}`, index };
}
