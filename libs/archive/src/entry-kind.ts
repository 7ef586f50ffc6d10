/** How many bytes tell what an entry is: one tar header. */
export const kindBytes = 512;

const zstdMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

/** Whether a path alone says "layer", whatever the bytes are: such an entry that is no layer is a broken one. */
export function isNamedLayer(path: string): boolean {
  return /(?:^|\/)layer\.tar$|\.(?:tar|tar\.gz|tgz|tar\.zst)$/.test(path);
}

/** Whether the first bytes of a file are those of a layer: gzip, zstd, or a tar's first header. */
export function looksLikeLayer(head: Buffer): boolean {
  if (head.length < 4) return false;
  if (head[0] === 0x1f && head[1] === 0x8b) return true;
  const magic = head.readUInt32LE(0);
  return magic === zstdMagic || (magic & ~0xf) >>> 0 === skippableMagic || isTarBlock(head);
}

/** Whether the first bytes may begin a JSON document. */
export function looksLikeJson(head: Buffer): boolean {
  return /^[ \t\r\n]*[[{]/.test(head.toString('latin1'));
}

/** A header with the right checksum (of unsigned or signed bytes), or the zero block of an empty tar. */
function isTarBlock(head: Buffer): boolean {
  if (head.length < kindBytes) return false;
  if (head.every((byte) => byte === 0)) return true;
  const told = /^[ \0]*([0-7]+)/.exec(head.toString('latin1', 148, 156));
  if (!told) return false;
  let unsigned = 0;
  let signed = 0;
  for (const [i, byte] of head.entries()) {
    const counted = i >= 148 && i < 156 ? 0x20 : byte;
    unsigned += counted;
    signed += counted > 127 ? counted - 256 : counted;
  }
  const sum = Number.parseInt(told[1] as string, 8);
  return sum === unsigned || sum === signed;
}
