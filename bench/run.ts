import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Aim, aimTable, type Found } from './aim.js';
import { benchAudit } from './audit.js';
import { benchCheckout } from './checkout.js';
import { benchConcurrency } from './concurrency.js';
import { benchDepth } from './depth.js';
import { benchInflate } from './inflate.js';
import { benchDistributed } from './distributed.js';
import { benchGraph } from './graph.js';
import { benchGrpc } from './grpc.js';
import { benchIngest } from './ingest.js';
import { benchLoad } from './load.js';
import { machine } from './measure.js';
import { benchMemory } from './memory.js';
import { benchPast } from './past.js';
import { benchRebuild } from './rebuild.js';

interface Bench {
  readonly run: (argument?: string) => Promise<string | Found>;
  /** The argument for `--quick`, or false to leave it out. */
  readonly quick?: string | false;
}

/**
 * `npm run bench`: all of them, and docs/performance.md; `-- --quick`: within a minute, nothing written;
 * `-- NAME [ARGUMENT]`: one.
 */
const benches: Readonly<Record<string, Bench>> = {
  checkout: { run: benchCheckout, quick: 'synthetic' },
  load: { run: benchLoad, quick: false },
  ingest: { run: benchIngest, quick: 'synthetic' },
  inflate: { run: benchInflate, quick: false },
  depth: { run: benchDepth, quick: '100' },
  memory: { run: benchMemory, quick: '30000' },
  concurrency: { run: benchConcurrency, quick: '8' },
  grpc: { run: benchGrpc, quick: '16' },
  rebuild: { run: benchRebuild, quick: '2000' },
  audit: { run: benchAudit, quick: '5000' },
  past: { run: benchPast, quick: '2000' },
  graph: { run: benchGraph, quick: false },
  distributed: { run: benchDistributed, quick: false },
};

const given = process.argv.slice(2);
const isQuick = given.includes('--quick');
const [name, argument] = given.filter((word) => word !== '--quick');
const chosen =
  name === undefined ? Object.keys(benches).filter((each) => !isQuick || benches[each]?.quick !== false) : [name];
const aims: Aim[] = [];
const texts: string[] = [];
console.log(`${machine()}\n`);
for (const each of chosen) {
  const bench = benches[each];
  if (!bench) throw new Error(`there is no bench ${each}: there are ${Object.keys(benches).join(', ')}`);
  const found = await bench.run(argument ?? (isQuick && bench.quick ? bench.quick : undefined));
  const { aims: more, text } = typeof found === 'string' ? { aims: [], text: found } : found;
  console.log(`${[text, ...(more.length > 0 ? [aimTable(more)] : [])].join('\n\n')}\n`);
  aims.push(...more);
  texts.push(text);
}
console.log(aimTable(aims));
console.log(`\n${aims.filter(({ met }) => !met).length} of ${aims.length} missed`);

if (name === undefined && !isQuick) {
  const head = '# Performance\n\nWritten by `npm run bench`. Times depend on the machine and on what else it does; read the ratios, which are of the same run.'; // prettier-ignore
  const page = [head, machine(), '## What was aimed at', aimTable(aims), '## Measured', ...texts].join('\n\n');
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'performance.md'), `${page}\n`);
}
