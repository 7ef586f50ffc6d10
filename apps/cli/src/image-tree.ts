import type { TreeNode } from '#client/answer';
import { bareName, isTagRef, shortId } from './ref-text.js';
import { humanSize } from './size.js';

/** Beyond this many levels an only child stays in its parent's column: a chain of 10,000 commits is no triangle of 100 MB. */
const levelsIndentedMax = 100;

interface Branchlet {
  readonly node: TreeNode;
  readonly prefix: string;
  readonly level: number;
  readonly isLast: boolean;
}

/**
 * The DAG along first parents, drawn line by line as `docker images --tree` drew it:
 * `└─511136ea3c5a Virtual Size: 180.1 MB Own Size: 12.3 MB Tags: app:latest`.
 * A commit stands once, below its first parent; `nodes` come parents first. Without recursion, for deep histories.
 */
export function* drawImageTree(nodes: readonly TreeNode[]): Generator<string> {
  const known = new Set(nodes.map(({ id }) => id));
  const children = Map.groupBy(nodes, ({ parents: [first] }) => (first !== undefined && known.has(first) ? first : ''));
  const pending = below(children.get('') ?? [], { prefix: '', level: 0 });
  for (let next = pending.pop(); next; next = pending.pop()) {
    yield `${next.prefix}${next.isLast ? '└─' : '├─'}${describe(next.node)}`;
    const under = children.get(next.node.id) ?? [];
    const staysInColumn = under.length === 1 && next.level >= levelsIndentedMax;
    const prefix = staysInColumn ? next.prefix : `${next.prefix}${next.isLast ? '  ' : '│ '}`;
    pending.push(...below(under, { prefix, level: next.level + 1 }));
  }
}

/** Last first, because they are taken from the end. */
function below(nodes: readonly TreeNode[], { prefix, level }: { prefix: string; level: number }): Branchlet[] {
  return nodes.map((node, i) => ({ node, prefix, level, isLast: i === nodes.length - 1 })).toReversed();
}

function describe({ id, virtualBytes, ownBytes, places }: TreeNode): string {
  const refs = places.flatMap(({ repo, refs: there }) => there.map((ref) => ({ repo, ref })));
  const named = (isKind: (ref: string) => boolean): string =>
    refs
      .filter(({ ref }) => isKind(ref))
      .map(({ repo, ref }) => `${repo}:${bareName(ref)}`)
      .join(', ');
  const tags = named(isTagRef);
  const branches = named((ref) => !isTagRef(ref));
  return [
    `${shortId(id)} Virtual Size: ${humanSize(virtualBytes)} Own Size: ${humanSize(ownBytes)}`,
    ...(tags === '' ? [] : [`Tags: ${tags}`]),
    ...(branches === '' ? [] : [`Branches: ${branches}`]),
  ].join(' ');
}
