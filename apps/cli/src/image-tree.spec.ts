import type { TreeNode } from '#client/answer';
import { drawImageTree } from './image-tree.js';

function node(id: string, fields: Partial<TreeNode> = {}): TreeNode {
  return {
    id: id.repeat(64 / id.length),
    parents: [],
    subject: '',
    time: null,
    v1Id: null,
    ownBytes: 0,
    virtualBytes: 0,
    places: [],
    ...fields,
  };
}

const base = node('a', { ownBytes: 100_000_000, virtualBytes: 100_000_000 });
const left = node('b', {
  parents: [base.id],
  ownBytes: 80_100_000,
  virtualBytes: 180_100_000,
  places: [{ repo: 'app', refs: ['refs/tags/latest', 'refs/tags/v1', 'refs/heads/main'] }],
});
const right = node('c', {
  parents: [base.id],
  virtualBytes: 100_000_000,
  places: [{ repo: 'web', refs: ['refs/tags/v1'] }],
});
const tip = node('d', { parents: [left.id], virtualBytes: 180_100_000 });

it('draws a shared base once, as docker images --tree drew it', () => {
  expect([...drawImageTree([base, left, right, tip])]).toEqual([
    '└─aaaaaaaaaaaa Virtual Size: 100 MB Own Size: 100 MB',
    '  ├─bbbbbbbbbbbb Virtual Size: 180.1 MB Own Size: 80.1 MB Tags: app:latest, app:v1 Branches: app:main',
    '  │ └─dddddddddddd Virtual Size: 180.1 MB Own Size: 0 B',
    '  └─cccccccccccc Virtual Size: 100 MB Own Size: 0 B Tags: web:v1',
  ]);
});

it('draws roots beside each other, and a commit whose parent is not in view as a root', () => {
  const orphan = node('e', { parents: ['9'.repeat(64)] });
  expect([...drawImageTree([base, orphan])].map((line) => line.slice(0, 6))).toEqual(['├─aaaa', '└─eeee']);
});

it('draws a merge below its first parent only', () => {
  const merge = node('f', { parents: [right.id, left.id] });
  const lines = [...drawImageTree([base, left, right, merge])];
  expect(lines.filter((line) => line.includes('ffffffffffff'))).toHaveLength(1);
  expect(lines.findIndex((line) => line.includes('ffff'))).toBe(lines.findIndex((line) => line.includes('cccc')) + 1);
});

it('draws a chain of 20,000 commits without recursion, and without a triangle of indentation', () => {
  const chain = Array.from({ length: 20_000 }, (_, i) =>
    node('0', { id: String(i).padStart(64, '0'), parents: i === 0 ? [] : [String(i - 1).padStart(64, '0')] }),
  );
  const lines = [...drawImageTree(chain)];
  expect(lines).toHaveLength(20_000);
  expect(lines.reduce((bytes, line) => bytes + line.length, 0)).toBeLessThan(20_000 * 300);
});
