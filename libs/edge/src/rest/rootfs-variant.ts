import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { RootfsFormat } from '#core/job';
import { codingSuffix, type TarCompression } from '#materialize/compress-tar';

/** In which form a tar is sent. `tagSuffix`: other forms are other bytes, and so are those of another library. */
export interface RootfsVariant {
  readonly compression: TarCompression | null;
  readonly headers: OutgoingHttpHeaders;
  readonly tagSuffix: string;
}

/**
 * A format is compressed because the client wants such a file. A tar is encoded with zstd on the way when the client says
 * that it takes that, unless it asks for a range or knows an ETag that is of the plain bytes: resuming needs those. gzip
 * is never chosen for a client: it is slower than most networks.
 * @see RFC 9110 section 12.5.3
 */
export function rootfsVariant(format: RootfsFormat, headers: IncomingHttpHeaders): RootfsVariant {
  if (format === 'tar.gz')
    return { compression: 'gzip', headers: { 'content-type': 'application/gzip' }, tagSuffix: codingSuffix.gzip };
  if (format === 'tar.zst')
    return { compression: 'zstd', headers: { 'content-type': 'application/zstd' }, tagSuffix: codingSuffix.zstd };
  const plain = { 'content-type': 'application/x-tar', vary: 'accept-encoding' };
  if (!acceptsZstd(headers['accept-encoding']) || headers.range !== undefined || headers['if-match'] !== undefined) {
    return { compression: null, headers: plain, tagSuffix: '' };
  }
  return { compression: 'zstd', headers: { ...plain, 'content-encoding': 'zstd' }, tagSuffix: codingSuffix.zstd };
}

/** Only when it is named: `*` is what clients send that have not thought about it. */
function acceptsZstd(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((part) => /^\s*zstd\s*(;\s*q\s*=\s*(?!0(\.0*)?\s*$).*)?$/i.test(part));
}
