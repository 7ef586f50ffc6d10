import { entryBlocks, paxHeader, type RawEntry, sparseBlocks } from './tar-forms.js';
import type { Random } from './random.js';

/** A stack of uncompressed layers, base first. Mostly acceptable, in odd forms; now and then one that must be refused. */
export function randomStack(random: Random): Buffer[] {
  const hostile = random.chance(0.12);
  const layers = 1 + random.below(6);
  return Array.from({ length: layers }, (_, i) => randomLayer(random, { hostile: hostile && i === layers - 1 }));
}

/** Names that mostly are directories, and names that mostly are not; mixed often enough to meet as the other. */
const folders = ['a', 'b', 'lib', 'usr'];
const leaves = ['c', 'd', 'e.txt', 'f'];
const components = [...folders, ...leaves];

function randomLayer(random: Random, { hostile }: { hostile: boolean }): Buffer {
  const count = random.chance(0.04) ? 0 : 1 + random.below(14);
  const blocks: Buffer[] = [];
  const written: Buffer[] = [];
  if (random.chance(0.08)) blocks.push(...paxHeader('g', [['comment', Buffer.from('made by chance')]]));
  const hostileAt = hostile ? random.below(count + 1) : -1;
  for (let i = 0; i < count; i += 1) {
    if (i === hostileAt) blocks.push(...hostileEntry(random));
    blocks.push(...randomEntry(random, written));
  }
  const whole = Buffer.concat(blocks);
  return withEnd(random, whole, hostile && random.chance(0.1));
}

function withEnd(random: Random, tar: Buffer, cut: boolean): Buffer {
  if (cut && tar.length > 600) return tar.subarray(0, 1 + random.below(tar.length - 1));
  const end = random.weighted({ blocks: 90, none: 4, garbage: 3, record: 3 });
  if (end === 'none') return tar;
  if (end === 'garbage') return Buffer.concat([tar, Buffer.alloc(1024), random.bytes(700)]);
  return Buffer.concat([tar, Buffer.alloc(end === 'record' ? 10_240 : 1024)]);
}

function randomEntry(random: Random, written: Buffer[]): Buffer[] {
  const kind = random.weighted({
    file: 30, directory: 20, symlink: 12, hardlink: 14, whiteout: 12, opaque: 5, device: 3, fifo: 2, overlay: 2,
    root: 2, sparse: 4, aufs: 2, label: 1, longName: 3,
  }); // prettier-ignore
  switch (kind) {
    case 'file':
      return file(random, written);
    case 'directory': {
      const name = path(random, random.chance(0.05));
      return entryBlocks({
        ...attributes(random),
        name: slashed(random, name),
        typeFlag: '5',
        mode: random.pick([0o755, 0o700, 0o1777, 0o40755]),
      });
    }
    case 'symlink': {
      const name = path(random);
      written.push(name);
      return entryBlocks({ ...attributes(random), name, typeFlag: '2', link: symlinkTarget(random), mode: 0o777 });
    }
    case 'hardlink':
      if (written.length === 0 && random.chance(0.9)) return file(random, written);
      return entryBlocks({
        ...attributes(random),
        name: path(random),
        typeFlag: '1',
        link: linkTarget(random, written),
      });
    case 'whiteout':
      return marker(random, `.wh.${random.pick(components)}`);
    case 'opaque':
      return marker(random, '.wh..wh..opq');
    case 'device':
      return entryBlocks({
        ...attributes(random),
        name: path(random),
        typeFlag: random.pick(['3', '4']),
        device: [1 + random.below(4000), random.below(1 << 20)],
      });
    case 'fifo':
      return entryBlocks({ ...attributes(random), name: path(random), typeFlag: '6' });
    case 'overlay':
      return entryBlocks({ name: path(random), typeFlag: '3', device: [0, 0], mode: 0 });
    case 'root':
      return entryBlocks({
        ...attributes(random),
        name: Buffer.from(random.pick(['./', '/', '.', './/'])),
        typeFlag: '5',
        mode: 0o711,
      });
    case 'sparse':
      return sparse(random);
    case 'aufs':
      return aufs(random, written);
    case 'label':
      return entryBlocks({ name: Buffer.from('volume'), typeFlag: 'V' });
    default:
      return longName(random, written);
  }
}

function file(random: Random, written: Buffer[]): Buffer[] {
  const name = path(random);
  written.push(name);
  const body = random.bytes(random.pick([0, 0, 1, 5, 511, 512, 513, 1500]));
  const common = { ...attributes(random), name, body };
  const form = random.weighted({ plain: 80, nul: 5, contiguous: 3, v7: 4, paxSize: 4, prefix: 4 });
  switch (form) {
    case 'nul':
      return entryBlocks({ ...common, typeFlag: '\0' });
    case 'contiguous':
      return entryBlocks({ ...common, typeFlag: '7' });
    case 'v7':
      return entryBlocks({ ...common, typeFlag: '0', magic: 'v7' });
    case 'paxSize':
      return entryBlocks({
        ...common,
        typeFlag: '0',
        sizeField: 0,
        pax: [...(common.pax ?? []), ['size', Buffer.from(String(body.length))]],
      });
    case 'prefix':
      return entryBlocks({ ...common, typeFlag: '0', prefix: Buffer.from(random.pick(components)) });
    default:
      return entryBlocks({ ...common, typeFlag: '0' });
  }
}

function sparse(random: Random): Buffer[] {
  const form = random.pick(['old', '0.0', '0.1', '1.0'] as const);
  const segments: [number, Buffer][] = [];
  let at = 0;
  for (let i = random.below(form === 'old' ? 7 : 4); i >= 0; i -= 1) {
    at += 512 * random.below(4);
    const bytes = random.bytes(1 + random.below(600));
    segments.push([at, bytes]);
    at += bytes.length;
  }
  const { magic: _magic, ...plain } = attributes(random);
  return sparseBlocks(form, { ...plain, name: path(random), typeFlag: '0' }, segments, at + random.below(1000));
}

function aufs(random: Random, written: Buffer[]): Buffer[] {
  const name = Buffer.from(random.pick(['.wh..wh.plnk/100.7', '.wh..wh.plnk/9.9', '.wh..wh.orph/x']));
  written.push(name);
  const out = random.chance(0.5) ? entryBlocks({ name: Buffer.from('.wh..wh.plnk/'), typeFlag: '5' }) : [];
  return [
    ...out,
    ...entryBlocks({ ...attributes(random), name, typeFlag: '0', body: random.bytes(9) }),
    ...entryBlocks({ name: Buffer.from('.wh..wh.aufs'), typeFlag: '0' }),
  ];
}

function longName(random: Random, written: Buffer[]): Buffer[] {
  const name = Buffer.from(
    Array.from({ length: 2 + random.below(4) }, () => random.pick(components) + 'n'.repeat(60)).join('/'),
  );
  written.push(name);
  const kind = random.pick(['0', '2', '5']);
  const link = kind === '2' ? { link: Buffer.from('t'.repeat(90 + random.below(60))) } : {};
  const { pax: _pax, ...rest } = attributes(random);
  return entryBlocks({ ...rest, name, typeFlag: kind, ...link, longNames: random.pick(['pax', 'gnu']) });
}

/** A marker of any type, with or without a body; only the name counts. */
function marker(random: Random, base: string): Buffer[] {
  const parent = random.chance(0.3) ? '' : `${path(random, random.chance(0.1)).toString('latin1')}/`;
  const name = Buffer.from(parent + base, 'latin1');
  const typeFlag = random.weighted({ '0': 90, '2': 3, '3': 3, '5': 4 });
  const link = typeFlag === '2' ? { link: Buffer.from('x') } : {};
  const body = typeFlag === '0' && random.chance(0.1) ? { body: Buffer.from('ignored') } : {};
  return entryBlocks({ name, typeFlag, mode: 0o600, ...link, ...body });
}

function attributes(random: Random): Partial<RawEntry> {
  const pax: [string, Buffer][] = [];
  if (random.chance(0.08))
    pax.push([
      'mtime',
      Buffer.from(random.pick(['1600000000.123456789', '-5.5', '0.5', '12.', '99999999999', '-0.000000001', '1.10'])),
    ]);
  if (random.chance(0.06)) pax.push(['SCHILY.xattr.user.k', random.bytes(random.below(9))]);
  if (random.chance(0.03)) pax.push(['SCHILY.xattr.security.capability', random.bytes(20)]);
  if (random.chance(0.02)) pax.push(['SCHILY.xattr.trusted.overlay.opaque', Buffer.from('y')]);
  if (random.chance(0.02)) pax.push(['LIBARCHIVE.xattr.user.k', Buffer.from('aGk=')]);
  if (random.chance(0.03)) pax.push(['uid', Buffer.from(String(random.pick([7, 2_097_152, 4_000_000])))]);
  if (random.chance(0.02)) pax.push(['atime', Buffer.from('1.5')]);
  return {
    mode: random.pick([0o644, 0o600, 0o4755, 0o100644, 0o777]),
    uid: random.pick([0, 0, 1000, 2_097_151, 3_000_000]),
    gid: random.pick([0, 0, 1000, 4_294_967_294]),
    mtime: random.pick([0, 1_600_000_000, 1_600_000_001, -5, 2 ** 33, 2 ** 40]),
    magic: random.pick(['ustar', 'ustar', 'gnu']),
    binaryNumbers: random.chance(0.05),
    signedChecksum: random.chance(0.05),
    ...(pax.length > 0 ? { pax } : {}),
  };
}

/** One of few names, so that layers meet; in one of the ways to write it. */
function path(random: Random, leaf = true): Buffer {
  const depth = 1 + random.below(3);
  const parts = Array.from({ length: depth }, () => random.pick(random.chance(0.97) ? folders : components));
  if (leaf) parts[depth - 1] = random.pick(random.chance(0.95) ? leaves : components);
  if (random.chance(0.03)) parts[depth - 1] = '\xff\xfe';
  const text = parts.join(random.chance(0.05) ? '//' : '/');
  const form = random.weighted({ plain: 75, dot: 12, absolute: 5, inner: 4, up: 4 });
  const written = {
    plain: text,
    dot: `./${text}`,
    absolute: `/${text}`,
    inner: text.replace('/', '/./'),
    up: `zz/../${text}`,
  }[form];
  return Buffer.from(written, 'latin1');
}

function slashed(random: Random, name: Buffer): Buffer {
  return random.chance(0.8) ? Buffer.concat([name, Buffer.from('/')]) : name;
}

function symlinkTarget(random: Random): Buffer {
  const to = path(random, random.chance(0.3)).toString('latin1');
  return Buffer.from(
    random.pick([to, `/${to}`, `../${to}`, random.pick(components), '.', '..', '/', '../../../etc']),
    'latin1',
  );
}

/** Mostly something of this layer, else any name: then it is below, ahead, or nowhere. */
function linkTarget(random: Random, written: readonly Buffer[]): Buffer {
  if (written.length > 0 && random.chance(0.96)) return random.pick(written);
  return random.chance(0.7) ? Buffer.from('a/c') : path(random);
}

function hostileEntry(random: Random): Buffer[] {
  const name = path(random);
  const say = (text: string) => Buffer.from(text, 'latin1');
  switch (random.below(20)) {
    case 0: return entryBlocks({ name: say('../escape'), typeFlag: '0' });
    case 1: return entryBlocks({ name, typeFlag: '0', breakChecksum: true });
    case 2: return entryBlocks({ name, typeFlag: '2', link: say('') });
    case 3: return entryBlocks({ name, typeFlag: random.pick(['D', 'M', 'N', 'A', 'Z', 'X']) });
    case 4: return entryBlocks({ name, typeFlag: '0', uid: -2 });
    case 5: return entryBlocks({ name: say(random.pick(['.wh.', 'a/.wh..', 'b/.wh...', '.wh.a/b'])), typeFlag: '0' });
    case 6: return entryBlocks({ name: say('./'), typeFlag: '0', body: say('x') });
    case 7: return entryBlocks({ name: say('x'.repeat(260)), typeFlag: '0' });
    case 8: return entryBlocks({ name, typeFlag: '1', link: say('nowhere/at/all') });
    case 9: return entryBlocks({ name, typeFlag: '1', link: say('../out') });
    case 10: return [...paxHeader('x', [['path', name]]), ...paxHeader('x', [['path', name]]), ...entryBlocks({ name, typeFlag: '0' })];
    case 11: return paxHeader('g', [['path', name]]);
    case 12: return entryBlocks({ name, typeFlag: '0', sizeField: -1 });
    case 13: return entryBlocks({ name, typeFlag: '3', device: [5000, 1] });
    case 14: return entryBlocks({ name, typeFlag: '0', pax: [['mtime', say('soon')]] });
    case 15: return [Buffer.alloc(512), ...entryBlocks({ name, typeFlag: '0' })];
    case 16: return [...entryBlocks({ name: say('loop'), typeFlag: '2', link: say('loop') }), ...entryBlocks({ name: say('loop/x'), typeFlag: '0' })];
    case 17: return [...entryBlocks({ name: say('flat'), typeFlag: '0' }), ...entryBlocks({ name: say('flat/x'), typeFlag: '0' })];
    case 18: return entryBlocks({ name: Buffer.from('y'.repeat(120)), typeFlag: '0', longNames: 'gnu', pax: [['path', name]] });
    default: return entryBlocks({ name, typeFlag: '0', pax: [['SCHILY.xattr.user.big', Buffer.alloc(70_000)]] });
  } // prettier-ignore
}
