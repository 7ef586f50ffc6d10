import { setImmediate } from 'node:timers/promises';
import type { Digest, DiffId } from '#core/digest';
import type { BodySource, StoredBody } from '#ports/body-source';
import { rowOf, typeNumber } from '#tar/layer-entries';
import { inodeKey, noEntry, type RootfsTree, sharedBit, sizeOf, sparseBit, typeOf } from './rootfs-tree.js';

/** Fewer layers than this are opened one by one sooner than it would pay to pack them. */
export const looseLayersMin = 16;
/** A layer that gives a tree more than this is worth being opened. */
const smallLayerBytesMax = 256 << 10;
/** A pack is packed again with what is new once it is no larger than so many times that: each body is copied a few times. */
const growth = 2;
const blockBytes = 512;
/** Everybody else has a turn after so many nodes. */
const nodesInTurn = 1 << 12;

type KnownPacks = Pick<BodySource, 'packed'>;

/** What of a tree lies loose in many small layers, in the order of the tar, and the packs that a new one replaces. */
export interface LooseBodies {
  /** Small layers that no pack holds all of. */
  readonly layers: number;
  readonly bodies: readonly StoredBody[];
  readonly replaced: readonly Digest[];
}

/**
 * What of a tree would be packed: the files it draws from small layers that no pack holds, and those of packs that are
 * not much larger. `unstored`: a layer whose bytes are not to be had yet. @see design 5
 */
export async function looseBodies(tree: RootfsTree, known: KnownPacks, unstored?: DiffId): Promise<LooseBodies> {
  // Whoever asked for the tree goes first.
  await setImmediate();
  const bytes = new Float64Array(tree.layers.length);
  await eachFile(tree, (node) => (bytes[tree.layer[node]!]! += storedBytes(tree, node)));
  const isSmall = tree.layers.map((diffId, layer) => diffId !== unstored && bytes[layer]! <= smallLayerBytesMax);
  const nodes: number[] = [];
  const packs: (Digest | undefined)[] = [];
  const counts = new Map<Digest | undefined, number>();
  const layers = new Set<number>();
  await eachFile(tree, (node) => {
    const layer = tree.layer[node]!;
    if (isSmall[layer] !== true) return;
    const pack = known.packed(tree.layers[layer]!, tree.entry[node]!)?.pack;
    if (pack === undefined) layers.add(layer);
    nodes.push(node);
    packs.push(pack);
    counts.set(pack, (counts.get(pack) ?? 0) + 1);
  });
  const replaced = worthReplacing(counts);
  const wanted = nodes.filter((_, at) => packs[at] === undefined || replaced.has(packs[at]));
  return { layers: layers.size, bodies: wanted.map((node) => bodyOf(tree, node)), replaced: [...replaced] };
}

/** The packs that a tree draws from, and how many small layers it draws loose bodies from. */
export interface PacksOfTree {
  readonly packs: readonly Digest[];
  readonly looseLayers: number;
}

/** A tree of few layers is not looked at: it has no packs. */
export async function packsOf(tree: RootfsTree, known: KnownPacks): Promise<PacksOfTree> {
  if (tree.layers.length < looseLayersMin) return { packs: [], looseLayers: tree.layers.length };
  const packs = new Set<Digest>();
  const bytes = new Float64Array(tree.layers.length);
  const loose = new Set<number>();
  await eachFile(tree, (node) => {
    const layer = tree.layer[node]!;
    const place = known.packed(tree.layers[layer]!, tree.entry[node]!);
    bytes[layer]! += storedBytes(tree, node);
    if (place) packs.add(place.pack);
    else loose.add(layer);
  });
  return { packs: [...packs], looseLayers: [...loose].filter((layer) => bytes[layer]! <= smallLayerBytesMax).length };
}

/** Tells the first name of each file, in the order of the tar. */
async function eachFile(tree: RootfsTree, tell: (node: number) => void): Promise<void> {
  const linked = new Set<number>();
  for (let node = 0; node < tree.nodeCount; node++) {
    if (node % nodesInTurn === nodesInTurn - 1) await setImmediate();
    if (typeOf(tree, node) !== typeNumber.file || tree.entry[node] === noEntry) continue;
    if ((tree.kind[node]! & sharedBit) !== 0) {
      const inode = inodeKey(tree.layer[node]!, tree.entry[node]!);
      if (linked.has(inode)) continue;
      linked.add(inode);
    }
    tell(node);
  }
}

/** The packs that are small beside what is loose, the smallest first. */
function worthReplacing(counts: ReadonlyMap<Digest | undefined, number>): Set<Digest> {
  const replaced = new Set<Digest>();
  let bodies = counts.get(undefined) ?? 0;
  for (const [pack, count] of [...counts].toSorted(([, a], [, b]) => a - b)) {
    if (pack === undefined) continue;
    if (count > growth * bodies) break;
    replaced.add(pack);
    bodies += count;
  }
  return replaced;
}

function bodyOf(tree: RootfsTree, node: number): StoredBody {
  return {
    diffId: tree.layers[tree.layer[node]!]!,
    entry: tree.entry[node]!,
    position: tree.dataBlock[node]! * blockBytes,
    bytes: storedBytes(tree, node),
  };
}

/** Holes are not stored. */
function storedBytes(tree: RootfsTree, node: number): number {
  if ((tree.kind[node]! & sparseBit) === 0) return sizeOf(tree, node);
  const row = rowOf(tree.sparseNode, node);
  const from = row === 0 ? 0 : tree.sparseEnd[row - 1]!;
  return tree.segmentLength.subarray(from, tree.sparseEnd[row]).reduce((sum, length) => sum + length, 0);
}
