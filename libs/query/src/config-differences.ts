/** A place in a configuration, as a JSON pointer (RFC 6901), with both values; undefined where there is none. */
export interface ConfigDifference {
  readonly pointer: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Told as layers and commits, and other in every image. */
const toldElsewhere = ['rootfs', 'history'];

/** How two image configurations differ, by key; lists and values are compared whole. */
export function differencesOf(before: unknown, after: unknown): ConfigDifference[] {
  return [...differences('', withoutTold(before), withoutTold(after))];
}

function* differences(pointer: string, before: unknown, after: unknown): Generator<ConfigDifference> {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  // A missing map counts as an empty one, so that a configuration that is new is told key by key.
  const [mapBefore, mapAfter] = [before ?? {}, after ?? {}];
  if (isMap(mapBefore) && isMap(mapAfter)) yield* keyByKey(pointer, mapBefore, mapAfter);
  else yield { pointer, before, after };
}

function* keyByKey(pointer: string, before: Json, after: Json): Generator<ConfigDifference> {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)].toSorted())) {
    const escaped = key.replaceAll('~', '~0').replaceAll('/', '~1');
    yield* differences(`${pointer}/${escaped}`, own(before, key), own(after, key));
  }
}

type Json = Readonly<Record<string, unknown>>;

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(map: Json, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function withoutTold(config: unknown): unknown {
  if (!isMap(config)) return config;
  return Object.fromEntries(Object.entries(config).filter(([key]) => !toldElsewhere.includes(key)));
}
