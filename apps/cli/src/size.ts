const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes as docker has always shown them: powers of 1000, four significant digits, `180.1 MB`. */
export function humanSize(sizeBytes: number): string {
  let size = sizeBytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(4))} ${units[unit]}`;
}
