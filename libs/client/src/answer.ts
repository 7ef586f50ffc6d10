/** What the server's JSON answers hold, as its OpenAPI document tells them. Ids are hex, sizes bytes, times RFC 3339. */

export interface About {
  readonly product: 'varve';
  readonly version: string;
  readonly log: string;
  readonly position: string;
}

export interface Repository {
  readonly repo: string;
  readonly defaultBranch: string;
  readonly commits: number;
  readonly moves: number;
  readonly createdAt: string;
}

/** What every write says of itself. `replayed`: an earlier request with the same idempotency key did it. */
export interface Written {
  readonly position: string;
  readonly replayed: boolean;
}

/** `name` is `ref` without `refs/heads/` or `refs/tags/`. */
export interface Ref {
  readonly ref: string;
  readonly name: string;
  readonly type: 'branch' | 'tag';
  readonly commit: string;
  readonly version: number;
}

/** `commit` null: deleted now; `from` null: it did not exist; `changed` false: it was there already. */
export interface MovedRef extends Omit<Ref, 'commit'>, Written {
  readonly commit: string | null;
  readonly from: string | null;
  readonly changed: boolean;
}

/** Several that moved together, in the order they were named. */
export interface MovedRefs extends Written {
  readonly refs: readonly Omit<MovedRef, keyof Written>[];
}

export interface ReflogMove {
  readonly ref: string;
  readonly version: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly operation: string;
  readonly reason: string;
  readonly actor: { readonly name: string; readonly verified: boolean };
  readonly txid: string;
  readonly position: string;
  readonly time: string;
}

export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant: string | null;
}

/** A commit and its place. `layers` are diffIDs; own and virtual sizes are uncompressed tar bytes. */
export interface LoggedCommit {
  readonly id: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly author: string;
  readonly committer: string;
  readonly time: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly layers: readonly string[];
  readonly platform: Platform | null;
  readonly origin: { readonly v1Id?: string | undefined; readonly importOf?: string | undefined } | null;
  readonly refs: readonly string[];
  readonly ownBytes: number;
  readonly virtualBytes: number;
  readonly stackLayers: number;
  readonly chainId: string;
  readonly depth: number;
  readonly position: string;
}

export interface ShownCommit extends LoggedCommit {
  readonly base: 'parent' | 'empty';
  readonly config: string | null;
  readonly manifest: { readonly mediaType: string; readonly digest: string; readonly size: number } | null;
  readonly index: readonly { readonly platform: Platform; readonly commit: string }[] | null;
  /** The image configuration as JSON, or null. */
  readonly configuration: unknown;
  readonly warning: string | null;
}

/** `ref` when the revision is a ref and nothing more. */
export interface ResolvedRevision {
  readonly commit: string;
  readonly ref: string | null;
  readonly warning: string | null;
}

/** A commit as `images --tree` draws it, once however many repositories have it. */
export interface TreeNode {
  readonly id: string;
  readonly parents: readonly string[];
  /** The first line of the message. */
  readonly subject: string;
  readonly time: string | null;
  readonly v1Id: string | null;
  readonly ownBytes: number;
  readonly virtualBytes: number;
  readonly places: readonly { readonly repo: string; readonly refs: readonly string[] }[];
}

export interface CreatedCommit extends Written {
  readonly commit: string;
  readonly ref: string;
  readonly version: number;
  /** null: the commit has metadata alone. */
  readonly layer: {
    readonly diffId: string;
    readonly digest: string;
    readonly sizeBytes: number;
    readonly tarBytes: number;
    readonly mediaType: string;
  } | null;
}

/** One image of an archive in one repository. `commit` is what `refs` point at now. */
export interface LoadedImage {
  readonly repo: string;
  /** As the archive calls it. */
  readonly title: string;
  readonly refs: readonly string[];
  readonly commit: string;
  readonly commits: number;
  readonly commitsNew: number;
  readonly layers: number;
  readonly layersNew: number;
  readonly virtualBytes: number;
}

export interface LoadedRepository extends Written {
  readonly repo: string;
  readonly isNew: boolean;
  readonly commitsNew: number;
  readonly layersNew: number;
  readonly bytesStored: number;
}

/** What a load found, and what of it was new. `warnings`: what was in the archive and passed over. */
export interface LoadReport {
  readonly images: readonly LoadedImage[];
  readonly repositories: readonly LoadedRepository[];
  readonly bytesRead: number;
  readonly warnings: readonly string[];
}

/** What a root filesystem became. */
export interface ImportReport extends LoadReport {
  /** The digest of the config that was made. */
  readonly config: string;
}

export interface Transaction {
  readonly txid: string;
  readonly repo: string | null;
  readonly position: string;
  readonly time: string;
  readonly outcome: 'accepted' | 'rejected';
  readonly commits: readonly string[];
  readonly moves: readonly { readonly ref: string; readonly commit: string | null; readonly version: number }[];
  readonly error: {
    readonly code: string;
    readonly detail: string;
    readonly fields: Readonly<Record<string, unknown>>;
  } | null;
}

/** One transaction of a repository, and what became of it. `actor` null: its record could not be read. */
export interface WatchedEvent {
  readonly position: string;
  readonly time: string;
  /** Of the record, such as `ref.update.v1`. */
  readonly type: string;
  readonly txid: string;
  readonly repo: string;
  readonly actor: { readonly name: string; readonly verified: boolean } | null;
  /** What the reflog calls it; null for what moves no refs by itself. */
  readonly operation: string | null;
  readonly reason: string | null;
  readonly outcome: Transaction['outcome'];
  readonly commits: Transaction['commits'];
  readonly moves: Transaction['moves'];
  readonly error: Transaction['error'];
}

export interface ServerState {
  readonly log: string;
  readonly partitions: readonly {
    readonly position: string | null;
    readonly stateDigest: string;
    readonly time: string;
  }[];
  readonly repositories: number;
  readonly commits: number;
  readonly moves: number;
}

export interface CopyAmount {
  readonly count: number;
  readonly bytes: number;
}

export interface Collected {
  readonly dryRun: boolean;
  readonly gcId: string | null;
  readonly epochs: readonly number[];
  readonly stored: CopyAmount;
  readonly candidates: CopyAmount;
  readonly kept: CopyAmount;
  readonly removed: CopyAmount;
  readonly forgotten: number;
  readonly copies: readonly {
    readonly digest: string;
    readonly incarnation: string;
    readonly size: number;
    readonly storedAt: string;
  }[];
  readonly derived: readonly { readonly kind: string; readonly stored: CopyAmount; readonly removed: CopyAmount }[];
  readonly uploads: { readonly staged: CopyAmount; readonly removed: CopyAmount };
}

export interface Rebuilt {
  readonly records: number;
  readonly stateDigest: string;
  readonly sameAsBefore: boolean;
  readonly position: string | null;
}
