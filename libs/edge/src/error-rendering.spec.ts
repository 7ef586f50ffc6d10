import { exitCode } from '#core/exit-code';
import { errorRendering, renderingOf } from './error-rendering.js';

const codes = Object.keys(errorRendering) as (keyof typeof errorRendering)[];

describe('the rendering of errors', () => {
  it('gives each code a status of failure at every door', () => {
    for (const code of codes) {
      const { http, exit, title } = renderingOf(code);
      expect(http >= 400 && http < 600).toBe(true);
      expect(exit).toBe(exitCode[code]);
      expect(exit).toBeGreaterThan(0);
      expect(title).toMatch(/^[A-Z]/);
    }
  });

  it('asks to try again exactly where a command ends with 5', () => {
    const again = codes.filter((code) => renderingOf(code).retryAfterSeconds !== null);
    expect(again.toSorted()).toEqual(codes.filter((code) => exitCode[code] === 5).toSorted());
  });

  it('never tells the caller that a fault of ours is his', () => {
    const ours = codes.filter((code) => [7, 70].includes(exitCode[code]));
    expect(ours.every((code) => renderingOf(code).http === 500)).toBe(true);
  });
});
