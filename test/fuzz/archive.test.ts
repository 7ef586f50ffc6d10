import { isVarveError } from '#core/error';
import {
  archiveOf,
  type BuiltImage,
  dockerArchive,
  dockerOciArchive,
  legacyArchive,
  ociArchive,
  podmanArchive,
  v1Chain,
} from '../fixture/archive-builder.js';
import { layer } from '../fixture/layer-builder.js';
import { Random } from '../oracle/random.js';
import { loadAndWrite } from './load-and-write.js';
import { mutateDocument } from './mutate-document.js';
import { mutateTar } from './mutate-tar.js';
import { Watchdog } from './watchdog.js';

const firstSeed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000_000);
const mutantsAsked = Number(process.env['VARVE_TEST_MUTANTS'] ?? 600);

const base = layer({ 'etc/': null, 'etc/motd': 'base\n', 'bin/': null, 'bin/sh': 'sh'.repeat(400) });
const top = layer({ 'app/': null, 'app/run': 'run\n', 'etc/.wh.motd': '', link: { link: 'app/run' } }, 'gzip');
const last = layer({ 'app/': null, 'app/.wh..wh..opq': '', 'app/new': 'new\n' }, 'zstd');
const image: BuiltImage = {
  steps: [{ layer: base, createdBy: 'ADD base' }, { createdBy: 'ENV A=1' }, { layer: top }, { layer: last }],
  names: ['app:1', 'app:latest'],
};
const other: BuiltImage = { steps: [{ layer: base }, { layer: last }], names: ['other:1'] };
const chain = v1Chain([{ layer: base }, { layer: top, createdBy: 'make' }, { layer: last }]);

const archives = [
  dockerArchive([image, other]),
  podmanArchive(image),
  ociArchive([{ ...image, names: ['app:1'] }, other]),
  dockerOciArchive([image]),
  legacyArchive(chain, { app: { '1': chain[2]?.id ?? '' } }),
];

const watchdog = new Watchdog();
afterAll(() => watchdog.stop());

describe(`${mutantsAsked} damaged archives (VARVE_TEST_SEED=${firstSeed})`, () => {
  it('are loaded whole, or refused with a code and leave nothing', async () => {
    let loaded = 0;
    for (let seed = firstSeed; seed < firstSeed + mutantsAsked; seed += 1) {
      watchdog.watch(`VARVE_TEST_SEED=${seed} VARVE_TEST_MUTANTS=1`);
      if (await isLoaded(seed)) loaded += 1;
    }
    if (mutantsAsked < 500) return;
    expect(loaded).toBeGreaterThan(mutantsAsked / 50);
    expect(loaded).toBeLessThan(mutantsAsked * 0.8);
  }, 1_800_000);
});

async function isLoaded(seed: number): Promise<boolean> {
  const random = new Random(seed);
  const items = random.pick(archives);
  const bytes = random.chance(0.6)
    ? archiveOf(mutateDocument(random, items))
    : mutateTar(random, archiveOf(items), archives.map(archiveOf));
  try {
    return await loadAndWrite(bytes);
  } catch (error) {
    const told = isVarveError(error) ? `${error.code}: ${error.message}` : String(error);
    throw new Error(`VARVE_TEST_SEED=${seed} VARVE_TEST_MUTANTS=1 ends with ${told}`, { cause: error });
  }
}
