import type { ExtractionReport } from './extraction-report.js';

/** Gives inodes their owners. A refusal is counted and remembered, so that a plain user pays for one and not for each. */
export class OwnerSetter {
  readonly #report: ExtractionReport;
  readonly #own = { uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 };
  readonly #refused = new Set<string>();

  constructor(report: ExtractionReport) {
    this.#report = report;
  }

  /** True when the inode now has the owner that was asked for. */
  set(
    chown: (uid: number, gid: number) => void,
    { uid, gid }: { readonly uid: number; readonly gid: number },
  ): boolean {
    if (uid === this.#own.uid && gid === this.#own.gid) return true;
    const pair = `${uid}:${gid}`;
    if (!this.#refused.has(pair)) {
      try {
        chown(uid, gid);
        return true;
      } catch {
        this.#refused.add(pair);
      }
    }
    this.#report.ownersNotSet++;
    return false;
  }
}
