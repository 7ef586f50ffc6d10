/** Named once: in Jest's sandbox a look-up of a global costs more than the arithmetic. */
const { floor, imul } = Math;

/** mulberry32: small, and good enough to schedule by. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = imul(state ^ (state >>> 15), state | 1);
    t ^= t + imul(t ^ (t >>> 7), t | 61);
    return floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
