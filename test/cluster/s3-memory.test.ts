import { randomBytes } from 'node:crypto';
import { s3Place, s3Servers } from '../fixture/s3-bucket.js';
import { S3Process } from './s3-process.js';

it.each(s3Servers)('writes and reads 300 MiB through $name in bounded memory', async ({ needs }) => {
  const child = new S3Process('memory', await s3Place(needs, randomBytes(8).toString('hex')));
  const { grownMebibytes, readMebibytes } = JSON.parse(await child.says()) as Record<string, number>;
  expect(await child.exitCode()).toBe(0);
  expect(readMebibytes).toBe(600);
  // Three parts of 8 MiB on their way and one being filled, three windows of 4 MiB, and what the collector lets lie.
  expect(grownMebibytes).toBeLessThan(240);
});
