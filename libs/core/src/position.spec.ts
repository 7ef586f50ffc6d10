import { formatPosition, parsePosition } from './position.js';

describe('position', () => {
  it('is written with dots and read back', () => {
    const position = { log: 'l0a1b2c3d4e', partition: 3, offset: 1_234_567 };
    expect(formatPosition(position)).toBe('l0a1b2c3d4e.3.1234567');
    expect(parsePosition(formatPosition(position))).toEqual(position);
  });

  it.each(['', 'log', 'log.1', 'log.1.', 'log.1.-1', 'log.1.2.3', 'LOG.1.2', 'log.x.2', 'log.1.1e3', 'log.1.2 '])(
    'refuses %j',
    (text) => {
      expect(() => parsePosition(text)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
    },
  );
});
