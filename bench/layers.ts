import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';

/**
 * The layers to measure with, lowest first: the files of the folder given, by name; without one, three layers of 4,000
 * files made here, 90 MB in all, the second and third each replacing a part of the one below.
 */
export function layerFiles(scratch: string, given?: string): readonly string[] {
  if (given !== undefined) {
    return readdirSync(given)
      .toSorted()
      .map((name) => join(given, name));
  }
  return [0, 1_000, 2_000].map((first, number) => {
    const root = join(scratch, `tree-${number}`);
    for (let file = first; file < first + 4_000; file += 1) {
      const folder = join(root, 'usr', 'lib', `part-${Math.floor(file / 50)}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `file-${file}`), randomFillSync(Buffer.alloc(7_500)));
    }
    const layer = join(scratch, `${number}-layer.tar`);
    execFileSync('tar', ['--sort=name', '-C', root, '-cf', layer, '.']);
    return layer;
  });
}
