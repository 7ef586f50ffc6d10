import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { S3Options } from '#adapters/s3/s3-options';
import type { BlobStore } from '#ports/blob-store';
import { streamBlob } from '#ports/read-blob';
import { uploaded } from './s3-process.js';

/** Another process that writes to a bucket: `node s3-uploader.ts WORK OPTIONS`. It tells on its output how far it is. */
const mebibyte = 1 << 20;
const piece = randomBytes(mebibyte);

const works: Readonly<Record<string, (store: BlobStore) => Promise<void>>> = {
  /** Parts of it are up, and no more comes. */
  async stall(store) {
    const staged = await store.stageDerived({ address: uploaded, sizeBytesMax: 64 * mebibyte });
    for (let count = 0; count < 40; count += 1) await staged.write(piece);
    say('uploading');
    await pause(600_000);
  },

  /** Its bytes come slowly, for eight seconds and more. */
  async slowly(store) {
    const staged = await store.stageDerived({ address: uploaded, sizeBytesMax: 64 * mebibyte });
    for (let count = 0; count < 40; count += 1) {
      await staged.write(piece);
      if (count === 20) say('uploading');
      await pause(count < 20 ? 0 : 400);
    }
    await staged.seal(uploaded);
    say('sealed');
  },

  /** A blob is on its way, as fast as it can. */
  async blob(store) {
    const staged = await store.stageBlob();
    for (let count = 0; count < 300; count += 1) await staged.write(piece);
    await staged.finish();
    say('sealing');
    await staged.seal();
    say('sealed');
  },

  /** 300 MiB as a blob and for an address, written and read. Tells how much memory it took. */
  async memory(store) {
    const before = process.memoryUsage().rss;
    const blob = await store.stageBlob();
    const derived = await store.stageDerived({ address: uploaded, sizeBytesMax: 300 * mebibyte });
    for (let count = 0; count < 300; count += 1) {
      await blob.write(piece);
      await derived.write(piece);
    }
    await blob.finish();
    await derived.seal(uploaded);
    let bytes = 0;
    for (const address of [await blob.seal(), uploaded]) {
      const reader = await store.open(address);
      for await (const read of streamBlob(reader)) bytes += read.length;
      await reader.close();
    }
    const grownBytes = peakBytes() - before;
    say(JSON.stringify({ grownMebibytes: Math.ceil(grownBytes / mebibyte), readMebibytes: bytes / mebibyte }));
  },
};

/** Of this program alone: what getrusage tells begins with the memory of the process that started it. */
function peakBytes(): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const [work = '', options = ''] = process.argv.slice(2);
const store = await openS3BlobStore(JSON.parse(options) as S3Options);
await works[work]?.(store);
await store.close();
