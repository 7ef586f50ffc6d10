/** The bytes `[from, to)` of what a request asks for. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * What a `Range` header means for `size` bytes: one part, all (no header, another unit, several ranges, not well
 * formed: RFC 9110 lets a server ignore them), or none of it.
 * @see RFC 9110 section 14
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'all' | 'none' {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return 'all';
  const [first, last] = [match[1] as string, match[2] as string];
  if (first === '') {
    const from = Math.max(0, size - Number(last));
    return from < size ? { from, to: size } : 'none';
  }
  const from = Number(first);
  const to = last === '' ? size : Math.min(size, Number(last) + 1);
  if (last !== '' && Number(last) < from) return 'all';
  return from < size ? { from, to } : 'none';
}
