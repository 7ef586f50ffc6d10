import type { JobState, RootfsFormat } from '#core/job';

/** A job that makes a tarball, as the OpenAPI document tells it. Sizes are bytes, times RFC 3339. */
export interface Job {
  readonly id: string;
  readonly state: JobState;
  readonly repo: string;
  readonly commit: string;
  readonly format: RootfsFormat;
  readonly name: string;
  readonly createdAt: string;
  readonly changedAt: string;
  readonly nextTryAt: string | null;
  readonly worker: string | null;
  readonly attempts: number;
  readonly lostLeases: number;
  readonly cancelRequested: boolean;
  readonly progress: {
    readonly phase: 'planning' | 'writing' | 'verifying';
    readonly doneBytes: number;
    readonly totalBytes: number | null;
  } | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly tarball: {
    readonly url: string;
    readonly sizeBytes: number;
    readonly digest: string;
    readonly createdAt: string;
  } | null;
}
