/**
 * Whether a name fits a glob: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of a set, `\` takes the next
 * character as it is. A `[` without its `]` is itself. Takes at most length times length steps, whatever the glob: it
 * only ever goes back to the last `*`.
 */
export function matchGlob(glob: string, name: string): boolean {
  const pattern = parse(glob);
  const text = Array.from(name);
  let at = 0;
  let part = 0;
  let starPart = -1;
  let starAt = 0;
  while (at < text.length) {
    const wanted = pattern[part];
    if (wanted === '*') {
      starPart = part++;
      starAt = at;
    } else if (wanted?.(text[at]!)) {
      part++;
      at++;
    } else if (starPart >= 0) {
      part = starPart + 1;
      at = ++starAt;
    } else return false;
  }
  return pattern.slice(part).every((rest) => rest === '*');
}

type Part = '*' | ((character: string) => boolean);

function parse(glob: string): Part[] {
  const parts: Part[] = [];
  const characters = Array.from(glob);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    const end = character === '[' ? endOfSet(characters, at) : -1;
    if (character === '*') parts.push('*');
    else if (character === '?') parts.push(() => true);
    else if (end > 0) {
      parts.push(setOf(characters.slice(at + 1, end)));
      at = end;
    } else {
      const itself = character === '\\' && at + 1 < characters.length ? characters[++at] : character;
      parts.push((one) => one === itself);
    }
  }
  return parts;
}

/** A `]` that comes first is one of the set. */
function endOfSet(characters: readonly string[], at: number): number {
  const first = characters[at + 1] === '!' || characters[at + 1] === '^' ? at + 2 : at + 1;
  return characters.indexOf(']', first + 1);
}

function setOf(inside: readonly string[]): (character: string) => boolean {
  const isNot = inside[0] === '!' || inside[0] === '^';
  const members = isNot ? inside.slice(1) : inside;
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < members.length; at++) {
    const isRange = members[at + 1] === '-' && at + 2 < members.length;
    ranges.push([members[at]!, members[isRange ? at + 2 : at]!]);
    if (isRange) at += 2;
  }
  return (one) => ranges.some(([low, high]) => low <= one && one <= high) !== isNot;
}
