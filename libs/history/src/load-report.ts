import type { CommitId } from '#core/commit';
import type { RefName, RepositoryName } from '#core/name';
import type { Written } from './write.js';

/** What a load found in the archive and what of it was new. Bytes of layers are of their uncompressed tars. */
export interface LoadReport {
  readonly images: readonly LoadedImage[];
  /** One for each repository, in the order they were written; `written.outcome` is empty where nothing was new. */
  readonly repositories: readonly LoadedRepository[];
  /** Bytes of the archive as they came. */
  readonly bytesRead: number;
  /** What was in the archive and passed over. */
  readonly warnings: readonly string[];
}

export interface LoadedRepository {
  readonly repo: RepositoryName;
  readonly isNew: boolean;
  readonly commitsNew: number;
  readonly layersNew: number;
  /** Of the blobs that were stored, as they came. */
  readonly bytesStored: number;
  readonly written: Written;
}

/** One image in one repository. `commit` is what `refs` point at. */
export interface LoadedImage {
  readonly repo: RepositoryName;
  /** As the archive calls it: its first name, else its config or its v1 id. */
  readonly title: string;
  readonly refs: readonly RefName[];
  readonly commit: CommitId;
  readonly commits: number;
  readonly commitsNew: number;
  readonly layers: number;
  readonly layersNew: number;
  readonly virtualBytes: number;
}
