import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { S3Options } from '#adapters/s3/s3-options';
import { s3Place, s3Servers } from '../fixture/s3-bucket.js';

describe.each(s3Servers)('a blob store on $name is refused, with what to change,', ({ needs }) => {
  let right: S3Options;
  beforeAll(async () => {
    right = { ...(await s3Place(needs, 'refusal')), retryMs: 300 };
  });

  it.each<[what: string, wrong: Partial<S3Options>, code: string, message: RegExp]>([
    ['no such bucket', { bucket: 'nobody-made-this' }, 'CONFIG_INVALID', /has no bucket "nobody-made-this": create it/],
    ['no such key', { accessKey: 'nobody' }, 'CONFIG_INVALID', /does not know the access key "nobody": correct AWS_A/],
    ['a wrong secret', { secretKey: 'guessed' }, 'CONFIG_INVALID', /secret of .* is wrong .*AWS_SECRET_ACCESS_KEY/],
    ['no server', { endpoint: 'http://127.0.0.1:9' }, 'UNAVAILABLE', /127\.0\.0\.1:9 does not answer .*: start it/],
    ['no such host', { endpoint: 'http://nowhere.invalid' }, 'UNAVAILABLE', /nowhere\.invalid does not answer/],
    ['no URL', { endpoint: 'localhost:9000' }, 'CONFIG_INVALID', /"localhost:9000" is not an http or https URL/],
    ['a path', { endpoint: 'http://127.0.0.1:9/s3' }, 'CONFIG_INVALID', /not an http or https URL without a path/],
    ['a bucket that cannot be', { bucket: 'No_Bucket' }, 'CONFIG_INVALID', /"No_Bucket" .* cannot be used/],
    ['a prefix that cannot be', { prefix: 'a/../b' }, 'CONFIG_INVALID', /prefix "a\/\.\.\/b"/],
    ['parts that S3 does not take', { partBytes: 1 << 20 }, 'CONFIG_INVALID', /at least 5242880/],
  ])('for %s', async (_, wrong, code, message) => {
    const refusal = await openS3BlobStore({ ...right, ...wrong }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((refusal as Error).message).not.toContain(wrong.secretKey ?? right.secretKey);
  });
});

it('is refused for a server that speaks no S3', async () => {
  const server = createServer((_, response) => response.end('<html>It works!</html>')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opening = openS3BlobStore({ endpoint, bucket: 'some-bucket', accessKey: 'a', secretKey: 'b' });
  await expect(opening).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  server.close();
});
