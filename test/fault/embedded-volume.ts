import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, ftruncateSync, rmSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The kinds of file system that are tried: one in memory, and one on a disk, which is a file. */
export const volumeKinds = ['tmpfs', 'ext4'] as const;
export type VolumeKind = (typeof volumeKinds)[number];

const mebibyte = 1 << 20;

/** A small file system of a test's own, to be filled, to be emptied again, and to be made read-only. Root may mount one. */
export class Volume {
  readonly folder: string;
  readonly #image: string | undefined;

  private constructor(folder: string, image: string | undefined) {
    this.folder = folder;
    this.#image = image;
  }

  /** @throws Error where the test may not mount one */
  static mount(kind: VolumeKind, sizeMebibytes: number): Volume {
    const place = mkdtempSync(join(tmpdir(), 'varve-volume-'));
    if (kind === 'tmpfs') {
      mount('-t', 'tmpfs', '-o', `size=${sizeMebibytes}m`, 'tmpfs', place);
      return new Volume(place, undefined);
    }
    const image = `${place}.img`;
    const file = openSync(image, 'w');
    ftruncateSync(file, sizeMebibytes * mebibyte);
    closeSync(file);
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image], { stdio: 'ignore' });
    mount('-o', 'loop', image, place);
    return new Volume(place, image);
  }

  /** Leaves so much room, by a file that grows. */
  fill(roomBytes: number): void {
    const file = openSync(this.#filler, 'a');
    const block = Buffer.alloc(65_536, 1);
    try {
      for (let rest = this.#room() - roomBytes; rest > 0; rest -= block.length)
        writeSync(file, block, 0, Math.min(rest, block.length));
    } finally {
      closeSync(file);
    }
  }

  makeRoom(): void {
    unlinkSync(this.#filler);
  }

  /** Nobody may have a file open for writing. */
  remount(how: 'ro' | 'rw'): void {
    mount('-o', `remount,${how}`, this.folder);
  }

  remove(): void {
    execFileSync('umount', ['--lazy', this.folder]);
    rmSync(this.folder, { recursive: true });
    if (this.#image !== undefined) rmSync(this.#image);
  }

  get #filler(): string {
    return join(this.folder, 'filler');
  }

  #room(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }
}

/** As by a file system that has noticed a mistake of its own: whoever has it open can read it and not write it. Root may. */
export function setImmutable(path: string, isImmutable: boolean): void {
  execFileSync('chattr', [isImmutable ? '+i' : '-i', path], { stdio: 'ignore' });
}

function mount(...options: string[]): void {
  execFileSync('mount', options, { stdio: 'ignore' });
}
