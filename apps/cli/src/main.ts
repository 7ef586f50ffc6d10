import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const cache = cacheFolder();
if (cache !== undefined) enableCompileCache(join(cache, 'varve'));
// Imported only now, so that the cache serves it.
const { main } = await import('./run.js');
await main(process.argv.slice(2));

/** The caller's own folder: a shared one under /tmp could be filled by somebody else first. Users without a home go without. */
function cacheFolder(): string | undefined {
  try {
    return process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  } catch {
    return undefined;
  }
}
