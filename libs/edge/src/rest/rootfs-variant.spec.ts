import type { IncomingHttpHeaders } from 'node:http';
import { rootfsVariant } from './rootfs-variant.js';

describe('rootfsVariant', () => {
  it.each<[string, IncomingHttpHeaders, 'zstd' | null]>([
    ['says nothing', {}, null],
    ['takes gzip alone', { 'accept-encoding': 'gzip, deflate, br' }, null],
    ['takes anything', { 'accept-encoding': '*' }, null],
    ['takes zstd', { 'accept-encoding': 'gzip, zstd' }, 'zstd'],
    ['takes zstd at a weight', { 'accept-encoding': 'zstd;q=0.5, gzip' }, 'zstd'],
    ['refuses zstd', { 'accept-encoding': 'gzip, zstd;q=0' }, null],
    ['refuses zstd at length', { 'accept-encoding': 'gzip, zstd; q=0.000' }, null],
    ['takes zstd and wants a range', { 'accept-encoding': 'zstd', range: 'bytes=5-' }, null],
    ['takes zstd and wants certain bytes', { 'accept-encoding': 'zstd', 'if-match': '"a"' }, null],
  ])('encodes a tar for a client that %s', (_, headers, compression) => {
    const variant = rootfsVariant('tar', headers);
    expect(variant.compression).toBe(compression);
    expect(variant.headers).toMatchObject({ 'content-type': 'application/x-tar', vary: 'accept-encoding' });
    expect(variant.headers['content-encoding']).toBe(compression ?? undefined);
  });

  it('gives each form a tag of its own, and a format no Content-Encoding', () => {
    const forms = (['tar', 'tar.gz', 'tar.zst'] as const).map((format) => rootfsVariant(format, {}));
    expect(new Set(forms.map(({ tagSuffix }) => tagSuffix)).size).toBe(3);
    expect(forms.map(({ headers }) => headers['content-type'])).toEqual([
      'application/x-tar',
      'application/gzip',
      'application/zstd',
    ]);
    expect(rootfsVariant('tar.zst', { 'accept-encoding': 'zstd' }).headers['content-encoding']).toBeUndefined();
  });
});
