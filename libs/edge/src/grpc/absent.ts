/** A JSON answer as a message has it: what is null there is absent here. */
export type Absent<T> = T extends null
  ? undefined
  : T extends string | number | boolean | undefined
    ? T
    : T extends readonly (infer Element)[]
      ? Absent<Element>[]
      : { -readonly [Key in keyof T]: Absent<T[Key]> };

/** @see Absent */
export function absent<T>(value: T): Absent<T> {
  return withoutNull(value) as Absent<T>;
}

function withoutNull(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(withoutNull);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutNull(member)]));
}
