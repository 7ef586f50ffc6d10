import { VarveError } from '#core/error';

/** Where a bucket is and who may use it. */
export interface S3Options {
  /** `http://127.0.0.1:9000`; no path. */
  readonly endpoint: string;
  readonly bucket: string;
  /** What all names begin with, without a slash at either end; empty for the whole bucket. */
  readonly prefix?: string;
  readonly region?: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string;
  /** The endpoint as clients outside reach it, for presigned URLs, if it is another. */
  readonly publicEndpoint?: string;
  /** What is larger goes up in parts of this size, at least 5 MiB. Three of them are in memory, for all uploads together. */
  readonly partBytes?: number;
  /** A local folder for what is being received and too large for memory; its files have no names and die with the process. */
  readonly spoolFolder?: string;
  /** An upload that nobody has touched for so long is swept. It must be longer than any clock here is wrong. */
  readonly sweepAfterMs?: number;
  /** How long a request is tried again while the server does not answer or is in trouble. */
  readonly retryMs?: number;
  readonly idleTimeoutMs?: number;
  readonly connectionsMax?: number;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

export const partBytesMin = 5 << 20;

export const s3Defaults = {
  region: 'us-east-1',
  partBytes: 8 << 20,
  sweepAfterMs: 6 * 3_600_000,
  retryMs: 10_000,
  idleTimeoutMs: 20_000,
  connectionsMax: 64,
} as const;

/** @throws CONFIG_INVALID */
export function parseEndpoint(text: string): Endpoint {
  const url = URL.parse(text);
  const isPlain = url !== null && ['http:', 'https:'].includes(url.protocol) && ['', '/'].includes(url.pathname);
  if (!isPlain || url.search !== '' || url.username !== '') {
    throw new VarveError('CONFIG_INVALID', `the S3 endpoint "${text}" is not an http or https URL without a path`, {
      endpoint: text,
    });
  }
  const secure = url.protocol === 'https:';
  return { host: url.hostname, port: Number(url.port) || (secure ? 443 : 80), secure };
}

/** The prefix with its slash, or nothing. @throws CONFIG_INVALID */
export function parsePrefix(text: string): string {
  if (text === '') return '';
  if (/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/.test(text) && !/(?:^|\/)\.\.?(?:\/|$)/.test(text)) return `${text}/`;
  throw new VarveError(
    'CONFIG_INVALID',
    `the S3 prefix "${text}" is not made of letters, digits, ".", "_" and "-", with single slashes between`,
    { prefix: text },
  );
}
