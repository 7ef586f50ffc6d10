import { hash } from 'node:crypto';
import { digestFromHex, hexOf } from '#core/digest';
import { isVarveError } from '#core/error';
import type { DerivedAddress } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { decodePieces, encodePieces } from './audit-codec.js';
import type { PieceBlobs } from './audit-pieces.js';

/** What is not yet in full pieces, and where a tree is: enough to go on from. */
export interface AuditEdge {
  readonly entries: number;
  readonly moves: number;
  /** Full pieces of rows and of paths in the blob store. */
  readonly rowPieces: number;
  readonly pathPieces: number;
  /** Rows and paths after those pieces, and tiles that are no pieces, by field. */
  readonly rows: readonly Buffer[];
  readonly paths: readonly Buffer[];
  readonly tiles: ReadonlyMap<string, Buffer>;
}

/** A checkpoint as it is kept for good. */
export interface KeptCheckpoint {
  /** Counts the publications of a tree, from 1 on. */
  readonly number: number;
  readonly note: string;
  /** The public key, for those who find it when all else is lost. */
  readonly key: string | null;
  readonly edge: AuditEdge;
}

/** Where one is. */
export interface CheckpointPlace {
  readonly tree: number;
  readonly number: number;
  readonly address: DerivedAddress;
}

const version = 1;
/** Digits of a key: whose it is, the tree, the number, and what stands in it, so that no two are at one address. */
const digits = { scope: 24, tree: 6, number: 14, content: 20 } as const;

/** The last checkpoints of all trees of a log as objects of the blob store. None is ever written over. */
export class AuditCheckpoints {
  readonly #blobs: PieceBlobs;
  readonly #scope: string;

  constructor(blobs: PieceBlobs, scope: string) {
    this.#blobs = blobs;
    this.#scope = hash('sha256', scope).slice(0, digits.scope);
  }

  /** All there are. @throws UNAVAILABLE */
  async list(): Promise<CheckpointPlace[]> {
    const places: CheckpointPlace[] = [];
    for await (const { address } of this.#blobs.derived('checkpoint')) {
      const hex = hexOf(address.key);
      if (address.version !== version || !hex.startsWith(this.#scope)) continue;
      const numberAt = digits.scope + digits.tree;
      const tree = Number.parseInt(hex.slice(digits.scope, numberAt), 16);
      const number = Number.parseInt(hex.slice(numberAt, numberAt + digits.number), 16);
      places.push({ tree, number, address });
    }
    return places;
  }

  /** Durable when it returns. @throws UNAVAILABLE, STORAGE_FULL */
  async write(tree: number, checkpoint: KeptCheckpoint): Promise<CheckpointPlace> {
    const bytes = encodeCheckpoint(checkpoint);
    const { number } = checkpoint;
    const hex = [
      this.#scope,
      tree.toString(16).padStart(digits.tree, '0'),
      number.toString(16).padStart(digits.number, '0'),
      hash('sha256', bytes).slice(0, digits.content),
    ].join('');
    const address = { kind: 'checkpoint', version, key: digestFromHex(hex) } as const;
    const staged = await this.#blobs.stageDerived();
    try {
      await staged.write(bytes);
      await staged.seal(address);
    } finally {
      await staged.discard();
    }
    return { tree, number, address };
  }

  /** Undefined for one that was removed, as old ones are. @throws CORRUPT, UNAVAILABLE */
  async read({ tree, number, address }: CheckpointPlace): Promise<KeptCheckpoint | undefined> {
    try {
      const reader = await this.#blobs.open(address);
      try {
        return decodeCheckpoint(await readBlob(reader), `checkpoint ${number} of audit tree ${tree}`);
      } finally {
        await reader.close();
      }
    } catch (error) {
      if (isVarveError(error, 'BLOB_UNKNOWN')) return undefined;
      throw error;
    }
  }

  async remove({ address }: CheckpointPlace): Promise<void> {
    await this.#blobs.delete(address);
  }
}

/** The first part as it stands in JSON. */
interface Head {
  readonly number: number;
  readonly note: string;
  readonly key: string | null;
  readonly entries: number;
  readonly moves: number;
  readonly rowPieces: number;
  readonly pathPieces: number;
  readonly rows: number;
  readonly tiles: readonly string[];
}

function encodeCheckpoint({ number, note, key, edge }: KeptCheckpoint): Uint8Array {
  const { entries, moves, rowPieces, pathPieces, rows, paths, tiles } = edge;
  const counts = { entries, moves, rowPieces, pathPieces, rows: rows.length, tiles: [...tiles.keys()] };
  const head = JSON.stringify({ number, note, key, ...counts } satisfies Head);
  return encodePieces([Buffer.from(head), ...rows, ...tiles.values(), ...paths]);
}

function decodeCheckpoint(bytes: Buffer, what: string): KeptCheckpoint {
  const [first, ...rest] = decodePieces(bytes, what) as [Buffer, ...Buffer[]];
  const { number, note, key, rows, tiles: fields, ...counts } = JSON.parse(first.toString()) as Head;
  const pathsAt = rows + fields.length;
  const tiles = new Map(fields.map((field, i) => [field, rest[rows + i] as Buffer]));
  return { number, note, key, edge: { ...counts, rows: rest.slice(0, rows), tiles, paths: rest.slice(pathsAt) } };
}
