import { table } from './table.js';

it('aligns columns by characters and leaves no space at the end', () => {
  expect(
    table(
      ['NAME', 'SIZE'],
      [
        ['größe', '1 B'],
        ['a', '22 kB'],
      ],
    ),
  ).toBe('NAME    SIZE\ngröße   1 B\na       22 kB');
});
