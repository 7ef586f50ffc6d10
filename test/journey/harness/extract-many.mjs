/**
 * Extracts each tar of a folder, `argv[2]`/*.tar, to a directory of its own beside it, as whatever user this process
 * runs; with the built command's own code. Prints a line of JSON for each: its report, or the code of its refusal.
 */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { extractRootfs } from '../../../dist/apps/cli/src/extract/extract-rootfs.js';

const folder = process.argv[2];
for (const name of readdirSync(folder)
  .filter((file) => file.endsWith('.tar'))
  .toSorted()) {
  const outcome = await extractRootfs(createReadStream(join(folder, name)), join(folder, `${name}.out`)).catch(
    (error) => ({
      code: error.code ?? String(error),
      message: error.message,
    }),
  );
  process.stdout.write(`${JSON.stringify({ name, ...outcome })}\n`);
}
