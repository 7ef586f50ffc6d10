import { VarveError } from '#core/error';

/**
 * A header whose value is text of people: names, messages. Node reads header bytes as Latin-1; people write UTF-8.
 * @throws REQUEST_INVALID when the bytes are no UTF-8 or more than `bytesMax`
 */
export function headerText(name: string, value: string | string[] | undefined, bytesMax: number): string | undefined {
  if (value === undefined) return undefined;
  const bytes = Buffer.from(Array.isArray(value) ? value.join(', ') : value, 'latin1');
  if (bytes.length > bytesMax) {
    throw new VarveError('REQUEST_INVALID', `${name} has ${bytes.length} bytes, more than ${bytesMax}`, {
      header: name,
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VarveError('REQUEST_INVALID', `${name} is not UTF-8`, { header: name }, { cause });
  }
}
