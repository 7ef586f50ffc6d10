import { benchCheckout } from './checkout.js';
import { benchInflate } from './inflate.js';
import { benchIngest } from './ingest.js';
import { machine } from './measure.js';
import { benchRebuild } from './rebuild.js';

/** `npm run bench`: all of them; `npm run bench -- NAME [ARGUMENT]`: one. */
const benches: Readonly<Record<string, (argument?: string) => Promise<string>>> = {
  checkout: benchCheckout,
  inflate: benchInflate,
  ingest: benchIngest,
  rebuild: benchRebuild,
};

const [name, argument] = process.argv.slice(2);
const chosen = name === undefined ? Object.keys(benches) : [name];
console.log(`${machine()}\n`);
for (const each of chosen) {
  const bench = benches[each];
  if (!bench) throw new Error(`there is no bench ${each}: there are ${Object.keys(benches).join(', ')}`);
  console.log(`${await bench(argument)}\n`);
}
