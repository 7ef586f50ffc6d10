/** Columns as docker prints them: left-aligned, three spaces apart, a heading in capitals, no trailing spaces. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** Code points stand for columns: names are ASCII, and a message in a wide script only shifts its own line. */
function width(text: string): number {
  return Array.from(text).length;
}
