/** What must hold, by its number. @see design 8 */
type Law = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I11' | 'I13';

/** A law that did not hold. */
export class BrokenLaw extends Error {}

/** @throws BrokenLaw */
export function law(name: Law, holds: boolean, otherwise: string): void {
  if (!holds) throw new BrokenLaw(`${name}: ${otherwise}`);
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function show(value: unknown): string {
  return JSON.stringify(value);
}
