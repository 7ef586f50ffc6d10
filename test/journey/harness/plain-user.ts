import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { projectRoot } from './server.js';

export const isRoot = process.geteuid?.() === 0;

/**
 * The project where any user can read it: itself, or a copy made of hard links, because a checkout may lie in a folder
 * that only its owner may enter. Remove what `remove` is for at the end.
 */
export function readableProject(): { readonly root: string; remove(): void } {
  if (!isRoot || othersMayEnter(projectRoot)) return { root: projectRoot, remove: () => undefined };
  const root = fs.mkdtempSync(join(tmpdir(), 'varve-readable-'));
  fs.chmodSync(root, 0o755);
  for (const name of ['bin', 'dist', 'node_modules', 'package.json', 'test']) linkOrCopy(join(projectRoot, name), root);
  return { root, remove: () => fs.rmSync(root, { recursive: true, force: true }) };
}

/** The Node that runs the tests, where it lies in the readable project. */
export function nodeOf(root: string): string {
  const inside = relative(projectRoot, fs.realpathSync(process.execPath));
  return inside.startsWith('..') ? process.execPath : join(root, inside);
}

function othersMayEnter(folder: string): boolean {
  const mayEnter = (fs.statSync(folder).mode & 0o001) !== 0;
  return mayEnter && (folder === dirname(folder) || othersMayEnter(dirname(folder)));
}

/** Links take no time and no room; another file system takes a copy. */
function linkOrCopy(source: string, folder: string): void {
  const copies = [['-al'], ['-a']].some((how) => spawnSync('cp', [...how, source, folder]).status === 0);
  if (!copies) throw new Error(`cannot copy ${source} to ${folder}`);
}
