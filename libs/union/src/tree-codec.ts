import { type ChainId, type Digest, digestFromHex, type DiffId, hexOf } from '#core/digest';
import { isVarveError } from '#core/error';
import { emptyStack, layersOfStack, type LayerStack, stackOfLayers } from '#core/layer-stack';
import type { BlobReader } from '#ports/blob-store';
import { type Column, columnPieces, type Columns, decodeColumnsInTurns, type ReadColumns } from '#tar/columns';
import { hashesToItsEnd, readColumn } from '#tar/read-column';
import type { Lints } from '#tar/lint';
import type { PacksOfTree } from './loose-bodies.js';
import type { RootfsTree } from './rootfs-tree.js';

/**
 * The version of the bytes below and of the tree they mean: it goes up with `unionVersion` too. Another version is
 * another address in the store.
 */
export const treeCodecVersion = 2;

const format = 'varve-tree';
const digestBytes = 32;

/** A merged tree and the stack it is the tree of. */
export interface StackTree {
  readonly stack: LayerStack;
  readonly tree: RootfsTree;
}

/** A tree as it was written: with the packs that hold bodies of it. */
export interface WrittenTree extends StackTree, PacksOfTree {}

/** A merged tree and its stack as bytes that check themselves, in pieces: each is made when it is asked for. */
export function encodeTree({ stack, tree, packs, looseLayers }: WrittenTree): Generator<Uint8Array> {
  const { depth, layers, layerPlaces, hasRootEntry, lints, nodeCount, xattrSets, ...columns } = tree;
  const facts: Facts = { depth, hasRootEntry, lints, nodeCount, looseLayers };
  return columnPieces(format, treeCodecVersion, {
    facts: Buffer.from(JSON.stringify(facts)),
    packs: bytesOf(packs),
    stack: bytesOf(layersOfStack(stack)),
    layers: bytesOf(layers),
    layerPlaces: Uint32Array.from(layerPlaces),
    ...xattrSets,
    ...(columns satisfies Columns),
  });
}

/**
 * The layers of the stack, which may be thousands, are read when somebody asks for them.
 * @throws CORRUPT when the bytes are not those of a tree of this version, whole and unchanged
 */
export async function decodeTree(bytes: Uint8Array, chainId: ChainId): Promise<WrittenTree> {
  const columns = await decodeColumnsInTurns(bytes, format, treeCodecVersion);
  const stack = columns.u8('stack');
  const { looseLayers, ...facts } = JSON.parse(Buffer.from(columns.u8('facts')).toString()) as Facts;
  const tree = readTree(columns, facts);
  return { stack: new WrittenStack(chainId, stack), tree, packs: readDigests(columns.u8('packs')), looseLayers };
}

/**
 * The packs that a stored tree names, without reading the tree. Not checked: one who loses little by a wrong answer may
 * ask so. @throws CORRUPT when it is no tree of this version, UNAVAILABLE
 */
export async function readPacksOfTree(reader: BlobReader): Promise<readonly Digest[]> {
  return readDigests(await readColumn(reader, { format, version: treeCodecVersion, name: 'packs' }));
}

/**
 * Whether stored bytes are the tree of a stack, whole and unchanged, as far as they can tell themselves. Reads all of
 * them, and holds a piece and the list of layers. @throws UNAVAILABLE
 */
export async function isWholeTree(reader: BlobReader, chainId: ChainId): Promise<boolean> {
  if (!(await hashesToItsEnd(reader))) return false;
  try {
    const stack = await readColumn(reader, { format, version: treeCodecVersion, name: 'stack' });
    return stackOfLayers(readDigests(stack) as DiffId[]).chainId === chainId;
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return false;
    throw error;
  }
}

/** A stack whose layers are still the bytes they were written as. */
class WrittenStack implements LayerStack {
  readonly chainId: ChainId;
  readonly depth: number;
  readonly below = emptyStack;
  #bytes: Uint8Array | undefined;
  #layers: readonly DiffId[] = [];

  constructor(chainId: ChainId, bytes: Uint8Array) {
    this.chainId = chainId;
    this.depth = bytes.length / digestBytes;
    // A copy: the view would keep the whole tree.
    this.#bytes = bytes.slice();
  }

  get layers(): readonly DiffId[] {
    if (this.#bytes) this.#layers = readDigests(this.#bytes) as DiffId[];
    this.#bytes = undefined;
    return this.#layers;
  }
}

function readTree({ u8, u16, u32, i32, f64 }: ReadColumns, facts: Omit<Facts, 'looseLayers'>): RootfsTree {
  return {
    ...facts,
    layers: readDigests(u8('layers')) as DiffId[],
    layerPlaces: Array.from(u32('layerPlaces')),
    nameEnd: u32('nameEnd'),
    names: u8('names'),
    subtreeEnd: u32('subtreeEnd'),
    kind: u8('kind'),
    mode: u16('mode'),
    uid: u32('uid'),
    gid: u32('gid'),
    mtimeLow: u32('mtimeLow'),
    mtimeHigh: i32('mtimeHigh'),
    nanos: u32('nanos'),
    sizeLow: u32('sizeLow'),
    sizeHigh: u16('sizeHigh'),
    xattrs: u32('xattrs'),
    xattrSets: { xattrEnd: u32('xattrEnd'), xattrText: u8('xattrText') },
    layer: u32('layer'),
    entry: u32('entry'),
    dataBlock: u32('dataBlock'),
    linkNode: u32('linkNode'),
    linkEnd: u32('linkEnd'),
    linkText: u8('linkText'),
    deviceNode: u32('deviceNode'),
    deviceMajor: u32('deviceMajor'),
    deviceMinor: u32('deviceMinor'),
    sparseNode: u32('sparseNode'),
    sparseEnd: u32('sparseEnd'),
    segmentOffset: f64('segmentOffset'),
    segmentLength: f64('segmentLength'),
  };
}

interface Facts {
  readonly depth: number;
  readonly hasRootEntry: boolean;
  readonly lints: Lints;
  readonly nodeCount: number;
  readonly looseLayers: number;
}

function bytesOf(digests: readonly Digest[]): Uint8Array {
  return Buffer.from(digests.map(hexOf).join(''), 'hex');
}

function readDigests(column: Column): Digest[] {
  const hex = Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString('hex');
  return Array.from({ length: column.byteLength / digestBytes }, (_, at) =>
    digestFromHex(hex.slice(at * digestBytes * 2, (at + 1) * digestBytes * 2)),
  );
}
