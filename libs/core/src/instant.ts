/** What Go writes for "no time"; docker and its kin write it where they know none. */
const zeroTime = '0001-01-01T00:00:00Z';
const pattern = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/**
 * An RFC 3339 time as a commit holds it: UTC, `Z`, at most nine decimals (what more there are is cut off); null for
 * Go's zero time; undefined when the text is no such time, or none of the years 0 to 9999.
 * A time that already ends in `Z` keeps its decimals as given.
 */
export function parseInstant(text: string): string | null | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, date, clock, decimals = '', sign, hours, minutes] = match;
  const local = Date.parse(`${date}T${clock}Z`);
  // V8 reads 30 February as 2 March; such a time is a mistake, not a date.
  if (Number.isNaN(local) || formatSeconds(local) !== `${date}T${clock}`) return undefined;
  if (Number(hours ?? 0) > 23 || Number(minutes ?? 0) > 59) return undefined;
  const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000 * (sign === '-' ? -1 : 1);
  const seconds = formatSeconds(local - offsetMs);
  if (!/^\d{4}-/.test(seconds)) return undefined;
  const instant = `${seconds}${decimals.length > 1 ? decimals.slice(0, 10) : ''}Z`;
  return instant === zeroTime ? null : instant;
}

function formatSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, '');
}
