import type { Random } from '../oracle/random.js';

/** A document with one to three of its values replaced, removed, doubled or moved; at times with broken bytes. */
export function mutateJson(random: Random, bytes: Buffer): Buffer {
  if (random.chance(0.12)) return brokenText(random, bytes);
  let value: unknown = JSON.parse(bytes.toString());
  for (let left = 1 + random.below(3); left > 0; left -= 1) value = mutated(random, value);
  return Buffer.from(JSON.stringify(value));
}

function brokenText(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length);
  return random.pick([
    bytes.subarray(0, at),
    Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(3)), bytes.subarray(at + 1)]),
    Buffer.concat([bytes, bytes]),
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]),
    Buffer.from('['.repeat(100_000)),
    Buffer.from(`{"a":`.repeat(5_000) + '1' + '}'.repeat(5_000)),
  ]);
}

/** Goes down to some value, and puts another in its place. */
function mutated(random: Random, value: unknown): unknown {
  if (random.chance(0.2) || typeof value !== 'object' || value === null) return random.pick(strangeValues(random));
  if (Array.isArray(value)) {
    if (value.length === 0 || random.chance(0.15)) return [...value, ...value, random.pick(strangeValues(random))];
    const at = random.below(value.length);
    return random.chance(0.15) ? value.toSpliced(at, 1) : value.with(at, mutated(random, value[at]));
  }
  const members = Object.entries(value);
  if (members.length === 0 || random.chance(0.1)) {
    return { ...value, [random.pick(strangeKeys)]: random.pick(strangeValues(random)) };
  }
  const at = random.below(members.length);
  const [key, old] = members[at] as [string, unknown];
  if (random.chance(0.15)) return Object.fromEntries(members.toSpliced(at, 1));
  return Object.fromEntries(members.with(at, [key, random.chance(0.1) ? value : mutated(random, old)]));
}

const strangeKeys = ['__proto__', 'constructor', '', 'toString', 'a\0b', 'schemaVersion', 'subject', 'annotations'];

function strangeValues(random: Random): unknown[] {
  return [
    null, true, 0, -1, 1.5, 1e308, 2 ** 53, 2 ** 63, '', ' ', '\0', '../../etc/passwd', '/', '..', 'x'.repeat(5000), '\u{10ffff}\ud800',
    [], {}, [[]], [null], { digest: 'sha256:' }, 'sha256:', `sha256:${'0'.repeat(64)}`, `sha256:${'G'.repeat(64)}`, `md5:${'0'.repeat(32)}`,
    '0000-00-00T00:00:00Z', '9999999-12-31T23:59:59Z', 'app:1', 'UPPER:tag', 'a/'.repeat(200), 'app:' + 't'.repeat(300), 'app@sha256:00',
    Array.from({ length: 300 }, () => random.below(9)), deep(500), { __proto__: null, a: 1 },
  ]; // prettier-ignore
}

function deep(levels: number): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}
