import { VarveError } from '#core/error';
import { typeNumber } from '#tar/layer-entries';
import { isDirectory, linkOf, nameStart, type RootfsTree, typeOf } from '#union/rootfs-tree';
import { TreeLookup } from '#union/tree-lookup';
import { shownPath } from './path-argument.js';
import { similarNames } from './similar-names.js';

const absent = -1;
/** Names of one directory that are compared with the one asked for. */
const comparedMax = 10_000;

/**
 * The node at a path. No symlink is followed, as git follows none: the tree is asked, not a running system.
 * @throws PATH_UNKNOWN with names that are spelled alike, or with the path behind a symlink on the way
 */
export function findNode(tree: RootfsTree, path: Buffer): number {
  const node = new TreeLookup(tree).at(path);
  if (node !== absent) return node;
  throw unknownPath(tree, path);
}

/** The same; -1 where there is nothing. */
export function findNodeIfAny(tree: RootfsTree, path: Buffer): number {
  return new TreeLookup(tree).at(path);
}

/** The error for a path that is not there, by the first component that is missing or leads nowhere. */
export function unknownPath(tree: RootfsTree, path: Buffer): VarveError {
  const lookup = new TreeLookup(tree);
  const shown = shownPath(path);
  let node = lookup.root;
  for (let from = 0; from < path.length;) {
    const next = path.indexOf('/', from);
    const to = next === -1 ? path.length : next;
    const above = path.subarray(0, Math.max(0, from - 1));
    if (typeOf(tree, node) === typeNumber.symlink) return behindLink({ path, above, link: linkOf(tree, node), from });
    if (!isDirectory(tree, node)) return pathUnknown(shown, `${shownPath(above)} is no directory`, []);
    const child = lookup.child(node, path, from, to);
    if (child === absent) {
      const name = path.subarray(from, to).toString();
      const near = similarNames(name, namesIn(tree, node)).map((one) => joined(above, one));
      return pathUnknown(shown, `${shownPath(above)} has no "${name}"`, near);
    }
    node = child;
    from = to + 1;
  }
  return pathUnknown(shown, 'it is not there', []);
}

interface Behind {
  readonly path: Buffer;
  readonly above: Buffer;
  readonly link: Uint8Array;
  readonly from: number;
}

function behindLink({ path, above, link, from }: Behind): VarveError {
  const target = Buffer.from(link).toString();
  const rest = path.subarray(from).toString();
  const meant = resolved(target.startsWith('/') ? [] : above.toString().split('/').slice(0, -1), target);
  const suggestions = meant === undefined ? [] : [[...meant, rest].join('/')];
  return pathUnknown(shownPath(path), `${shownPath(above)} is a symlink to "${target}"; none is followed`, suggestions);
}

/** Where a link leads from a directory, undefined when that is outside of the tree. */
function resolved(directory: readonly string[], target: string): string[] | undefined {
  const way = [...directory];
  for (const component of target.split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') way.push(component);
    else if (way.pop() === undefined) return undefined;
  }
  return way;
}

function namesIn(tree: RootfsTree, directory: number): string[] {
  const names: string[] = [];
  const end = tree.subtreeEnd[directory]!;
  for (let node = directory + 1; node < end && names.length < comparedMax; node = tree.subtreeEnd[node]!) {
    names.push(Buffer.from(tree.names.subarray(nameStart(tree, node), tree.nameEnd[node])).toString());
  }
  return names;
}

function joined(above: Buffer, name: string): string {
  return above.length === 0 ? name : `${above.toString()}/${name}`;
}

function pathUnknown(path: string, why: string, suggestions: readonly string[]): VarveError {
  return new VarveError('PATH_UNKNOWN', `there is no path "${path}": ${why}`, { path, suggestions });
}
