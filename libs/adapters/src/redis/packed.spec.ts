import { PackReader, PackWriter } from './packed.js';

describe('PackWriter', () => {
  it('writes what PackReader reads, wherever its room ends', () => {
    for (let room = 1; room < 80; room += 1) {
      const writer = new PackWriter(room)
        .u8(7)
        .u32(0xfedc_ba98)
        .hex('sha256:00ff', 7)
        .u8(255)
        .f64(2 ** 53 - 1);
      writer.text('kurz').text('ü').text('länger als vierzig Zeichen, darum auf die andere Weise').ascii('ab').u8(9);
      const reader = new PackReader(writer.done());
      expect([reader.u8(), reader.u32(), reader.hex(2), reader.u8()]).toEqual([7, 0xfedc_ba98, '00ff', 255]);
      expect(reader.f64()).toBe(2 ** 53 - 1);
      expect([reader.text(), reader.text()]).toEqual(['kurz', 'ü']);
      expect(reader.text()).toBe('länger als vierzig Zeichen, darum auf die andere Weise');
      expect([reader.ascii(2), reader.u8(), reader.isAtEnd]).toEqual(['ab', 9, true]);
    }
  });

  it('counts what stands between a begin and its end', () => {
    const writer = new PackWriter(2);
    const start = writer.begin();
    writer.hex('abcdef').end(start);
    expect(writer.done().toString('hex')).toBe('00000003abcdef');
  });
});
