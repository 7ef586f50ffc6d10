import { refusal, type TarPlace } from './refusal.js';

const bitsOfSafeInteger = 53;

/**
 * A numeric field of a tar header: octal digits between spaces and NULs, or base-256 (two's complement, first bit
 * set). What only some readers take (signs, inner spaces, other letters) is refused. A base-256 value beyond 2^53 comes
 * back as plus or minus infinity, for the caller's range check.
 * @throws LAYER_INVALID (bad-number)
 */
export function tarNumber(block: Uint8Array, from: number, to: number, place: TarPlace): number {
  if ((block[from]! & 0x80) !== 0) return base256Number(block, from, to);
  let at = from;
  while (at < to && (block[at] === 0x20 || block[at] === 0)) at++;
  let value = 0;
  for (; at < to; at++) {
    const digit = block[at]! - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  if (!isFieldEnd(block, at, to)) throw badNumber(block, from, to, place);
  return value;
}

/** The same for a time, which uses all of its signed 64 bits. @throws LAYER_INVALID (bad-number, time-out-of-range) */
export function tarTime(block: Uint8Array, from: number, to: number, place: TarPlace): bigint {
  if ((block[from]! & 0x80) === 0) return BigInt(tarNumber(block, from, to, place));
  const value = base256(block, from, to);
  if (BigInt.asIntN(64, value) !== value) {
    throw refusal(place, 'time-out-of-range', `its time is ${value} seconds; a time has 64 bits and a sign`);
  }
  return value;
}

/** Whether `at` is behind the last digit: the field is over, a NUL follows, or only spaces and NULs do. */
function isFieldEnd(block: Uint8Array, at: number, to: number): boolean {
  if (at === to || block[at] === 0) return true;
  for (let rest = at; rest < to; rest++) {
    if (block[rest] !== 0x20 && block[rest] !== 0) return false;
  }
  return true;
}

function base256Number(block: Uint8Array, from: number, to: number): number {
  const value = base256(block, from, to);
  if (BigInt.asIntN(bitsOfSafeInteger, value) === value) return Number(value);
  return value < 0n ? -Infinity : Infinity;
}

function base256(block: Uint8Array, from: number, to: number): bigint {
  let value = 0n;
  for (let at = from; at < to; at++) value = (value << 8n) | BigInt(block[at]!);
  // The first bit says "base-256"; what is left is a two's complement number one bit narrower.
  return BigInt.asIntN((to - from) * 8 - 1, value);
}

function badNumber(block: Uint8Array, from: number, to: number, place: TarPlace): Error {
  const text = JSON.stringify(Buffer.from(block.subarray(from, to)).toString('latin1'));
  return refusal(place, 'bad-number', `its header has ${text} where a number belongs`);
}
