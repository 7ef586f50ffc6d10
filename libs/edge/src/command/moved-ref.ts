import type { CommitId } from '#core/commit';
import { isTag, type RefName, type RepositoryName, shortRefName } from '#core/name';
import type { RefValue } from '#core/ref';
import type { Written } from '#history/write';
import type { GraphReader } from '#ports/graph-store';

/** What became of a ref. `commit` null: it is deleted; `from` null: it did not exist; `changed` false: nothing was written. */
export interface MovedRef {
  readonly ref: RefName;
  readonly name: string;
  readonly type: 'branch' | 'tag';
  readonly commit: CommitId | null;
  readonly version: number;
  readonly from: CommitId | null;
  readonly changed: boolean;
}

/** What one ref became in a write. `before` is what it was when that was read. */
export async function movedRef(
  graph: GraphReader,
  asked: {
    readonly repo: RepositoryName;
    readonly ref: RefName;
    readonly to: CommitId | null;
    readonly before: RefValue;
  },
  { outcome }: Written,
): Promise<MovedRef> {
  const { repo, ref, to, before } = asked;
  const moved = outcome.moves.find((each) => each.ref === ref);
  const [entry] = moved ? await graph.reflog(repo, { ref, before: moved.version + 1, limit: 1 }) : [];
  return {
    ref,
    name: shortRefName(ref),
    type: isTag(ref) ? 'tag' : 'branch',
    commit: moved ? moved.commit : to,
    version: moved?.version ?? before.version,
    from: entry ? entry.from : before.commit,
    changed: moved !== undefined,
  };
}
