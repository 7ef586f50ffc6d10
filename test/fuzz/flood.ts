import { headerBlock } from '../oracle/tar-forms.js';

/** Headers by the hundred thousand: a plain one of each type, of which only name and link change. */
const plain = new Map<string, { readonly block: Buffer; readonly sum: number }>();

/** The header block of an entry without a body. Name and link of at most 100 bytes. */
export function floodEntry(name: string, typeFlag = '0', link = ''): Buffer {
  const { block, sum } = plainOf(typeFlag);
  const header = Buffer.from(block);
  const nameBytes = header.write(name, 0, 100, 'latin1');
  const linkBytes = header.write(link, 157, 100, 'latin1');
  let total = sum;
  for (let at = 0; at < nameBytes; at += 1) total += header[at] ?? 0;
  for (let at = 157; at < 157 + linkBytes; at += 1) total += header[at] ?? 0;
  header.write(total.toString(8).padStart(6, '0'), 148, 'latin1');
  return header;
}

function plainOf(typeFlag: string): { readonly block: Buffer; readonly sum: number } {
  const known = plain.get(typeFlag);
  if (known) return known;
  const block = headerBlock({ name: Buffer.alloc(0), typeFlag });
  const made = { block, sum: Number.parseInt(block.toString('latin1', 148, 154), 8) };
  plain.set(typeFlag, made);
  return made;
}
