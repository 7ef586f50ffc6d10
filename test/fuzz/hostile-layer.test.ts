import { isVarveError, type VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { Rule } from '#tar/refusal';
import { Stack } from '../golden/stack.js';
import { entryBlocks, gnuLong, headerBlock, type RawEntry, sparseBlocks } from '../oracle/tar-forms.js';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const file = (name: string, more: Partial<RawEntry> = {}): Buffer[] =>
  entryBlocks({ name: bytesOf(name), typeFlag: '0', ...more });
const directory = (name: string): Buffer[] => entryBlocks({ name: bytesOf(name), typeFlag: '5' });
const symlink = (name: string, to: string): Buffer[] =>
  entryBlocks({ name: bytesOf(name), typeFlag: '2', link: bytesOf(to) });
const hardlink = (name: string, to: string, more: Partial<RawEntry> = {}): Buffer[] =>
  entryBlocks({ name: bytesOf(name), typeFlag: '1', link: bytesOf(to), ...more });
const tarOf = (...entries: readonly Buffer[][]): Buffer => Buffer.concat([...entries.flat(), Buffer.alloc(1024)]);
const xattr = (name: string, bytes: number): [string, Buffer] => [`SCHILY.xattr.${name}`, Buffer.alloc(bytes, 1)];
const xattrs = (count: number, bytes: number): [string, Buffer][] =>
  Array.from({ length: count }, (_, i) => xattr(`user.a${i}`, bytes));
/** GNU's sparse header without pieces, of a binary size. */
function gnuSparseOf(size: bigint): Buffer[] {
  const header = headerBlock({ name: bytesOf('holes'), typeFlag: 'S', magic: 'gnu' });
  header[483] = 0x80;
  header.writeBigUInt64BE(size, 487);
  return [summed(header)];
}
/** A header whose size field is binary and says `value`. */
function sized(typeFlag: string, value: bigint): Buffer[] {
  const header = headerBlock({ name: bytesOf('big'), typeFlag });
  header.fill(0, 124, 136);
  header.writeBigUInt64BE(BigInt.asUintN(64, value), 128);
  header[124] = value < 0n ? 0xff : 0x80;
  if (value < 0n) header.fill(0xff, 125, 128);
  return [summed(header)];
}
function summed(header: Buffer): Buffer {
  header.write('        ', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
const segments = (count: number): [number, Buffer][] =>
  Array.from({ length: count }, (_, i) => [i * 2, Buffer.from([7])]);
const sparse = (form: 'old' | '0.0' | '0.1' | '1.0', count: number): Buffer[] =>
  sparseBlocks(form, { name: bytesOf('holes'), typeFlag: '0' }, segments(count), count * 2);
const before = file('first', { body: bytesOf('x') });

type Refused = readonly [
  title: string,
  code: 'LAYER_INVALID' | 'LIMIT_EXCEEDED',
  rule: Rule,
  at: number | 'last',
  tar: Buffer,
];

/** `at` is the byte of the header that is refused: of an extended one or of the entry's own; 'last', when that ends the layer. */
const refused: readonly Refused[] = [
  ['a name that climbs out: a/../../b', 'LAYER_INVALID', 'path-escapes', 1024, tarOf(before, file('a/../../b'))],
  ['a hardlink that climbs out', 'LAYER_INVALID', 'path-escapes', 1024, tarOf(before, hardlink('l', 'a/../../b'))],
  ['a NUL in a PAX path', 'LAYER_INVALID', 'malformed-pax', 1024, tarOf(before, file('f', { pax: [['path', bytesOf('a\0b')]] }))],
  ['a NUL in the name of a sparse file', 'LAYER_INVALID', 'nul-in-name', 2048, tarOf(before, file('f', { pax: [['GNU.sparse.name', bytesOf('a\0b')]] }))],
  ['a path of 2,000 directories', 'LIMIT_EXCEEDED', 'path-too-deep', 'last', tarOf(before, file(`${'d/'.repeat(2000)}f`))],
  ['a path of 5,000 bytes', 'LAYER_INVALID', 'path-too-long', 'last', tarOf(before, file(`${'dddd/'.repeat(1000)}f`))],
  ['a component of 256 bytes', 'LAYER_INVALID', 'component-too-long', 2048, tarOf(before, file('c'.repeat(256)))],
  ['a GNU long name over its megabyte', 'LIMIT_EXCEEDED', 'extended-header-too-large', 1024, tarOf(before, gnuLong('L', Buffer.alloc(limit.paxBytesMax, 'n')), file('f'))],
  ['a GNU long name that says it has 2^63-1 bytes', 'LIMIT_EXCEEDED', 'extended-header-too-large', 1024, tarOf(before, sized('L', 2n ** 63n - 1n))],
  ['a PAX header that says it has 2^63-1 bytes', 'LIMIT_EXCEEDED', 'extended-header-too-large', 1024, tarOf(before, sized('x', 2n ** 63n - 1n))],
  ['a size of 2^63-1', 'LIMIT_EXCEEDED', 'file-too-large', 1024, tarOf(before, sized('0', 2n ** 63n - 1n))],
  ['a size of -2^63', 'LAYER_INVALID', 'negative-size', 1024, tarOf(before, sized('0', -(2n ** 63n)))],
  ['a PAX size of 2^63', 'LIMIT_EXCEEDED', 'file-too-large', 2048, tarOf(before, file('f', { pax: [['size', bytesOf('9223372036854775808')]] }))],
  ['a size of 65 GiB', 'LIMIT_EXCEEDED', 'file-too-large', 1024, tarOf(before, sized('0', 65n * 2n ** 30n))],
  ['a sparse file of 1 TiB: GNU', 'LIMIT_EXCEEDED', 'file-too-large', 1024, tarOf(before, gnuSparseOf(2n ** 40n))],
  ['a sparse file of 1 TiB: PAX 0.1', 'LIMIT_EXCEEDED', 'file-too-large', 2048, tarOf(before, sparseBlocks('0.1', { name: bytesOf('s'), typeFlag: '0' }, [], 2 ** 40))],
  ['a sparse file of 1 TiB: PAX 1.0', 'LIMIT_EXCEEDED', 'file-too-large', 2048, tarOf(before, sparseBlocks('1.0', { name: bytesOf('s'), typeFlag: '0' }, [], 2 ** 40))],
  ['65,537 pieces of a sparse file: GNU', 'LIMIT_EXCEEDED', 'sparse-map', 1024, tarOf(before, sparse('old', limit.sparseSegmentsMax + 1))],
  ['65,537 pieces of a sparse file: PAX 1.0', 'LIMIT_EXCEEDED', 'sparse-map', 2048, tarOf(before, sparse('1.0', limit.sparseSegmentsMax + 1))],
  ['65,537 pieces of a sparse file: PAX 0.1', 'LIMIT_EXCEEDED', 'sparse-map', 536_064, tarOf(before, sparse('0.1', limit.sparseSegmentsMax + 1))],
  ['65,537 pieces of a sparse file: PAX 0.0', 'LIMIT_EXCEEDED', 'extended-header-too-large', 1024, tarOf(before, sparse('0.0', limit.sparseSegmentsMax + 1))],
  ['129 extended attributes', 'LAYER_INVALID', 'xattrs-too-large', 'last', tarOf(before, file('f', { pax: xattrs(129, 1) }))],
  ['an attribute name of 256 bytes', 'LAYER_INVALID', 'xattrs-too-large', 'last', tarOf(before, file('f', { pax: [xattr('u'.repeat(256), 1)] }))],
  ['an attribute of 64 KiB and a byte', 'LAYER_INVALID', 'xattrs-too-large', 'last', tarOf(before, file('f', { pax: [xattr('user.a', limit.xattrValueBytesMax + 1)] }))],
  ['attributes that add up over a hardlink', 'LAYER_INVALID', 'xattrs-too-large', 'last', tarOf(file('first', { pax: xattrs(128, 1) }), hardlink('l', 'first', { pax: [xattr('user.more', 1)] }))],
  ['a name below a symlink that loops', 'LAYER_INVALID', 'symlink-loop', 'last', tarOf(symlink('l', 'l'), file('l/x'))],
  ['a name below two symlinks that loop', 'LAYER_INVALID', 'symlink-loop', 'last', tarOf(symlink('a', 'b'), symlink('b', 'a'), file('a/x'))],
  ['a file below a file', 'LAYER_INVALID', 'parent-not-directory', 1024, tarOf(before, file('first/x'))],
  ['a hardlink to itself only', 'LAYER_INVALID', 'dangling-link', 1024, tarOf(before, hardlink('l', 'l'))],
  ['two hardlinks to each other', 'LAYER_INVALID', 'dangling-link', 1024, tarOf(before, hardlink('l', 'm'), hardlink('m', 'l'))],
]; // prettier-ignore

it.each(refused)('refuses %s', async (_title, code, rule, at, tar) => {
  const { code: told, detail } = await refusalOf(tar);
  expect({ code: told, rule: detail['rule'] }).toEqual({ code, rule });
  expect({ entry: detail['entry'], at: detail['offset'] }).toEqual({
    entry: expect.any(Number),
    at: at === 'last' ? tar.length - 1024 - 512 : at,
  });
});

it('takes a newline, a colon and bytes that are no UTF-8 in names, as they are', async () => {
  const names = ['a\nb', 'C:x', '\xff\xfe', ' * ', '-rf'];
  const layer = tarOf(...names.map((name) => file(name)));
  const { plan } = await Stack.of([layer]);
  expect(plan.entryCount).toBe(names.length);
});

it('takes symlinks to anywhere and to each other, which are only data', async () => {
  const layer = tarOf(symlink('a', 'b'), symlink('b', 'a'), symlink('c', '../../../etc/passwd'), symlink('d', '/'));
  expect((await Stack.of([layer])).plan.entryCount).toBe(4);
});

it('follows 40 symlinks to a directory, and not 41', async () => {
  const links = (count: number) =>
    Array.from({ length: count }, (_, i) => symlink(`l${i}`, i === 0 ? 'd' : `l${i - 1}`));
  const stack = await Stack.of([tarOf(directory('d/'), ...links(40), file('l39/x'))]);
  expect((await stack.tar()).includes(bytesOf('d/x\0'))).toBe(true);
  const { detail } = await refusalOf(tarOf(directory('d/'), ...links(41), file('l40/x')));
  expect(detail['rule']).toBe('symlink-loop');
});

it('takes 65,536 pieces of a sparse file and writes it whole', async () => {
  const stack = await Stack.of([tarOf(sparse('old', limit.sparseSegmentsMax))]);
  expect((await stack.tar()).length).toBe(stack.plan.length);
  expect(stack.plan.length).toBeGreaterThan(2 * limit.sparseSegmentsMax);
});

it('takes a directory 1,024 deep, and refuses to resolve a shorter path to one that is deeper', async () => {
  const deep = (levels: number) => Array.from({ length: levels }, () => 'd').join('/');
  expect((await Stack.of([tarOf(file(deep(1024)))])).plan.entryCount).toBe(1024);
  const { code, detail } = await refusalOf(
    tarOf(directory(deep(1000)), symlink('l', deep(1000)), file(`l/${deep(30)}`)),
  );
  expect({ code, rule: detail['rule'] }).toEqual({ code: 'LIMIT_EXCEEDED', rule: 'path-too-deep' });
});

async function refusalOf(tar: Buffer): Promise<VarveError> {
  const error: unknown = await Stack.of([tar]).then(
    () => new Error('it was taken'),
    (reason: unknown) => reason,
  );
  if (isVarveError(error)) return error;
  throw error;
}
