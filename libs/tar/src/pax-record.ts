/**
 * One PAX record: `length key=value\n`, where the length counts itself. `key` is latin1.
 * @see POSIX pax, "Extended Header"
 */
export function paxRecord(key: string, value: Uint8Array): Buffer {
  const length = paxRecordBytes(key.length, value.length);
  const record = Buffer.allocUnsafe(length);
  const at = record.write(`${length} ${key}=`, 0, 'latin1');
  record.set(value, at);
  record[length - 1] = 0x0a;
  return record;
}

/** The length of a record, from those of its key and value. */
export function paxRecordBytes(keyBytes: number, valueBytes: number): number {
  const others = keyBytes + valueBytes + 3;
  let length = others + digitsOf(others);
  // One digit more can be what makes one digit more necessary.
  if (others + digitsOf(length) !== length) length = others + digitsOf(length);
  return length;
}

function digitsOf(count: number): number {
  let digits = 1;
  for (let bound = 10; bound <= count; bound *= 10) digits++;
  return digits;
}
