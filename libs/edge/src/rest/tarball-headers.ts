import type { OutgoingHttpHeaders } from 'node:http';
import { hexOf } from '#core/digest';
import type { RootfsFormat, Tarball } from '#core/job';
import { formatOfName } from '#materialize/tarball-name';

const mediaTypes: Readonly<Record<RootfsFormat, string>> = {
  tar: 'application/x-tar',
  'tar.gz': 'application/gzip',
  'tar.zst': 'application/zstd',
};

/** Of the bytes of a tarball. */
export function tarballHeaders({ name, digest }: Tarball): OutgoingHttpHeaders {
  const format = formatOfName(name);
  const [, chain = ''] = name.split('-');
  return {
    'content-type': mediaTypes[format],
    'content-disposition': `attachment; filename="rootfs-${chain.slice(0, 12)}.${format}"`,
    'repr-digest': `sha-256=:${Buffer.from(hexOf(digest), 'hex').toString('base64')}:`,
  };
}

/** Of a redirect to them: who keeps it longer than the URL holds would go astray. */
export function redirectHeaders(tarball: Tarball, url: string): OutgoingHttpHeaders {
  const { 'repr-digest': reprDigest } = tarballHeaders(tarball);
  return {
    location: url,
    etag: `"${tarball.name}"`,
    'repr-digest': reprDigest,
    'cache-control': 'no-store',
    'content-length': 0,
  };
}
