import { isVarveError } from '#core/error';
import { Stack } from '../golden/stack.js';
import { entryBlocks } from '../oracle/tar-forms.js';
import { floodEntry } from './flood.js';
import { Watchdog } from './watchdog.js';

/** Makes a stack of `count` entries that are made to be slow. */
type Flood = (count: number) => readonly (readonly Buffer[])[];

const say = (text: string): Buffer => Buffer.from(text, 'latin1');
const file = (name: string): Buffer[] => [floodEntry(name)];
const directory = (name: string): Buffer[] => [floodEntry(name, '5')];
const symlink = (name: string, to: string): Buffer[] => [floodEntry(name, '2', to)];
const hardlink = (name: string, to: string): Buffer[] => [floodEntry(name, '1', to)];
const deep = 'd/'.repeat(45);
const numbered = (count: number, make: (i: number) => Buffer[]): Buffer[] => Array.from({ length: count }, (_, i) => make(i)).flat(); // prettier-ignore
/** Far apart, so that no order of the tar helps. */
const shuffled = (i: number, count: number): number => (i * 7919) % count;

const floods: readonly (readonly [title: string, largest: number, flood: Flood])[] = [
  ['whiteouts of files that are there', 100_000, (n) => [numbered(n, (i) => file(`d/f${i}`)), numbered(n, (i) => file(`d/.wh.f${shuffled(i, n)}`))]],
  ['whiteouts of nothing', 20_000, (n) => [numbered(100, (i) => file(`d/f${i}`)), numbered(n, (i) => file(`d/.wh.g${i}`))]],
  ['whiteouts far apart in deep directories', 12_000, (n) => [file('a/b/c/d/e/f'), numbered(n, (i) => file(`a/b/c/d/x${i}/.wh.y`))]],
  ['opaque markers on one directory', 20_000, (n) => [numbered(1000, (i) => file(`d/f${i}`)), numbered(n, () => file('d/.wh..wh..opq'))]],
  ['opaque markers on many directories', 12_000, (n) => [numbered(n, (i) => file(`d${i}/f`)), numbered(n, (i) => file(`d${shuffled(i, n)}/.wh..wh..opq`))]],
  ['a chain of hardlinks, each to the one before', 100_000, (n) => [[...file('l0'), ...numbered(n, (i) => hardlink(`l${i + 1}`, `l${i}`))]]],
  ['a chain of hardlinks, each to the one behind', 12_000, (n) => [[...numbered(n, (i) => hardlink(`l${i}`, `l${i + 1}`)), ...file(`l${n}`)]]],
  ['hardlinks to the layer below', 12_000, (n) => [numbered(n, (i) => file(`f${i}`)), numbered(n, (i) => hardlink(`l${i}`, `f${shuffled(i, n)}`))]],
  ['one name again and again', 20_000, (n) => [numbered(n, () => file('d/same'))]],
  ['a directory with a child and a file in turns under one name', 12_000, (n) => [numbered(n / 2, () => [...directory('p'), ...file('p/x'), ...file('p')])]],
  ['files through a symlink', 12_000, (n) => [[...directory('d'), ...symlink('l', 'd'), ...numbered(n, (i) => file(`l/f${i}`))]]],
  ['directories, 45 levels down, where the layer below has symlinks', 12_000, (n) => [numbered(n, (i) => symlink(`${deep}s${i}`, 'x')), numbered(n, (i) => directory(`${deep}s${i}`))]],
  ['directories where the layer below has symlinks', 12_000, (n) => [numbered(n, (i) => symlink(`s${i}`, 'x')), numbered(n, (i) => directory(`s${i}`))]],
  ['hardlinks that each change an attribute of one file', 8_000, (n) => [[...file('f'), ...numbered(n, (i) => entryBlocks({ name: say(`l${i}`), typeFlag: '1', link: say('f'), pax: [['SCHILY.xattr.user.a', say(String(i))]] }))]]],
]; // prettier-ignore

const roundsMax = 5;
const msPerEntryMax = 0.5;

const watchdog = new Watchdog();
afterAll(() => watchdog.stop());

it.each(floods)('%s take time in proportion to their number', async (title, largest, flood) => {
  watchdog.watch(title);
  const least = { small: Infinity, large: Infinity };
  // Whatever else happens only adds to a time, so the least of several is what the work takes.
  for (let round = 0; round < roundsMax && !isInProportion(least, largest); round++) {
    watchdog.watch(title);
    least.small = Math.min(least.small, await cpuMsOf(flood(largest / 8)));
    watchdog.watch(title);
    least.large = Math.min(least.large, await cpuMsOf(flood(largest)));
  }
  expect({ ...least, isInProportion: isInProportion(least, largest) }).toMatchObject({ isInProportion: true });
});

interface Times {
  readonly small: number;
  readonly large: number;
}

/**
 * Eight times as many: quadratic work takes 64 times as long, and work in proportion 8. Times of a few milliseconds say
 * little. And no entry takes half a millisecond, which is ten times what the slowest of these take.
 */
function isInProportion({ small, large }: Times, count: number): boolean {
  return large < 16 * (small + 10) && large < count * msPerEntryMax;
}

/** Processor time, so that what else this machine does counts little. */
async function cpuMsOf(layers: readonly (readonly Buffer[])[]): Promise<number> {
  const tars = layers.map((blocks) => Buffer.concat([...blocks, Buffer.alloc(1024)]));
  const before = process.cpuUsage();
  try {
    await Stack.of(tars);
  } catch (error) {
    if (!isVarveError(error, 'LIMIT_EXCEEDED')) throw error;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
