import * as fc from 'fast-check';
import { type RawEntry, rawTar } from '../fixture/raw-tar.js';

/** One entry, as few words as a counterexample should have. Names are latin1 for any bytes. */
export interface RandomEntry {
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'fifo';
  readonly name: string;
  readonly link: string;
  readonly body: string;
  readonly mode: number;
  readonly uid: number;
  readonly mtime: string;
  readonly xattr: string;
  readonly device: number;
}

export type RandomLayer = readonly RandomEntry[];

/** Few names, so that entries, links, markers and layers meet. */
const component = fc.constantFrom('a', 'b', 'c', 'd', 'l', 'a.b', 'a-b', '\xff');
const path = fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const anyPath = fc.oneof(
  { weight: 12, arbitrary: path },
  { weight: 1, arbitrary: path.map((p) => `./${p}`) },
  { weight: 1, arbitrary: path.map((p) => `/${p}//`) },
  { weight: 1, arbitrary: path.map((p) => `x/../${p}`) },
  { weight: 1, arbitrary: path.map((p) => `${p}/${'long-name-'.repeat(15)}`) },
);
const symlinkTarget = fc.oneof(
  path,
  path.map((p) => `/${p}`),
  path.map((p) => `../${p}`),
  fc.constantFrom('.', '..', '/', 'b/../c'),
);
const directoryOf = fc.oneof(
  { weight: 1, arbitrary: fc.constant('') },
  { weight: 4, arbitrary: path.map((p) => `${p}/`) },
);

const attributes = {
  body: fc.constantFrom('', 'x', 'content'),
  mode: fc.constantFrom(0o644, 0o755, 0o4711, 0o100600),
  uid: fc.constantFrom(0, 0, 1000, 3_000_000),
  mtime: fc.constantFrom('1600000000', '0', '1600000000.5', '-5.5', '8589934592', '1.000000001'),
  xattr: fc.constantFrom('', '', '', 'user.one', 'security.capability', 'trusted.overlay.opaque'),
  device: fc.constantFrom(1, 4095),
};

function entry(
  type: RandomEntry['type'],
  name: fc.Arbitrary<string>,
  link: fc.Arbitrary<string>,
): fc.Arbitrary<RandomEntry> {
  return fc.record({ type: fc.constant(type), name, link, ...attributes });
}

const none = fc.constant('');
export const marker: fc.Arbitrary<RandomEntry> = fc.oneof(
  { weight: 3, arbitrary: entry('file', fc.tuple(directoryOf, component).map(([d, c]) => `${d}.wh.${c}`), none) },
  { weight: 1, arbitrary: entry('file', directoryOf.map((d) => `${d}.wh..wh..opq`), none) },
  { weight: 1, arbitrary: entry('char', path, none).map((e) => ({ ...e, device: 0 })) },
); // prettier-ignore

const node: fc.Arbitrary<RandomEntry> = fc.oneof(
  { weight: 8, arbitrary: entry('file', anyPath, none) },
  { weight: 6, arbitrary: entry('directory', anyPath, none) },
  { weight: 3, arbitrary: entry('symlink', anyPath, symlinkTarget) },
  { weight: 5, arbitrary: entry('hardlink', anyPath, anyPath) },
  { weight: 1, arbitrary: entry('fifo', path, none) },
  { weight: 1, arbitrary: entry('char', path, none) },
  { weight: 1, arbitrary: entry('directory', fc.constant('./'), none) },
);

const entries = fc.oneof({ weight: 4, arbitrary: node }, { weight: 1, arbitrary: marker });

/** Layers of links to what may stand anywhere, or nowhere. */
export const randomLayer: fc.Arbitrary<RandomLayer> = fc.array(entries, { maxLength: 10 });
export const randomStack: fc.Arbitrary<readonly RandomLayer[]> = fc.array(randomLayer, { minLength: 1, maxLength: 4 });

export function isMarker({ name, type, device }: RandomEntry): boolean {
  return name.includes('.wh.') || (type === 'char' && device === 0);
}

const typeflags = { file: '0', hardlink: '1', symlink: '2', char: '3', directory: '5', fifo: '6' } as const;
const idEnd = 2 ** 21;
const isPlainTime = (mtime: string): boolean => /^[0-9]{1,9}$|^1600000000$/.test(mtime);

export function tarOf(layer: RandomLayer): Buffer {
  return rawTar(layer.map(rawOf));
}

function rawOf(e: RandomEntry): RawEntry {
  return {
    name: e.name,
    flag: typeflags[e.type],
    link: e.link,
    body: e.type === 'file' ? e.body : '',
    mode: e.mode,
    uid: e.uid < idEnd ? e.uid : 0,
    mtime: isPlainTime(e.mtime) ? Number(e.mtime) : 0,
    device: [e.device, e.device],
    pax: {
      ...(e.name.length > 100 && { path: e.name }),
      ...(e.link.length > 100 && { linkpath: e.link }),
      ...(e.uid >= idEnd && { uid: String(e.uid) }),
      ...(!isPlainTime(e.mtime) && { mtime: e.mtime }),
      ...(e.xattr !== '' && { [`SCHILY.xattr.${e.xattr}`]: `value of ${e.body}` }),
    },
  };
}
