import type { CommitId } from '#core/commit';
import type { Actor, RefOperation } from '#core/event';
import type { RefName, RepositoryName } from '#core/name';

/** Who, why, what: kept beside an entry so that questions need not read the records. Not part of the tree. */
export interface AuditAbout {
  readonly txid: string | null;
  readonly repo: RepositoryName | null;
  readonly decision: string;
  /** Why it was rejected, for people. */
  readonly message?: string;
  readonly actor?: Actor;
  /** The request that wrote it. */
  readonly requestId?: string;
  readonly operation?: RefOperation;
  readonly reason?: string;
  /** The moves that were asked for; `version` where they were made. */
  readonly moves?: readonly AuditMove[];
  /** Commits that are new with it. */
  readonly commits?: readonly CommitId[];
}

export interface AuditMove {
  readonly ref: RefName;
  readonly from: CommitId | null;
  readonly to: CommitId | null;
  readonly version?: number | undefined;
}

/** What a question asks for; every part that is given must hold. */
export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly repo?: RepositoryName | undefined;
  readonly ref?: RefName | undefined;
  readonly commit?: CommitId | undefined;
  /** `accepted`, `rejected`, `none`, or the code of a rejection. */
  readonly outcome?: string | undefined;
}

/**
 * Texts that stand in the `about` of every entry the filter wants, for the store to look for. `isWanted` decides: a text
 * may stand in other places too.
 */
export function textsOf({ actor, repo, ref, commit, outcome }: AuditFilter): readonly string[] {
  return [
    ...(actor === undefined ? [] : [`"actor":{"name":${JSON.stringify(actor)}`]),
    ...(repo === undefined ? [] : [`"repo":${JSON.stringify(repo)}`]),
    ...(ref === undefined ? [] : [`"ref":${JSON.stringify(ref)}`]),
    ...(commit === undefined ? [] : [commit]),
    ...(outcome === undefined ? [] : [`"decision":"${/^[a-z]/.test(outcome) ? outcome : `rejected:${outcome}"`}`]),
  ];
}

/** What the filter and the entries that it wants have in common, each as one word. */
export function wordsAsked({ actor, repo, ref, commit, outcome }: AuditFilter): readonly string[] {
  return [
    ...(actor === undefined ? [] : [`actor ${actor}`]),
    ...(repo === undefined ? [] : [`repo ${repo}`]),
    ...(ref === undefined ? [] : [`ref ${ref}`]),
    ...(commit === undefined ? [] : [commit]),
    ...(outcome === undefined ? [] : [`outcome ${outcome}`]),
  ];
}

/** @see wordsAsked */
export function wordsOf({ actor, repo, decision, moves = [], commits = [] }: AuditAbout): readonly string[] {
  const words = decision.split(':').map((part) => `outcome ${part}`);
  if (actor) words.push(`actor ${actor.name}`);
  if (repo !== null) words.push(`repo ${repo}`);
  for (const { ref, from, to } of moves) {
    words.push(`ref ${ref}`);
    if (from !== null) words.push(from);
    if (to !== null) words.push(to);
  }
  words.push(...commits);
  return words;
}

export function isWanted(about: AuditAbout, { actor, repo, ref, commit, outcome }: AuditFilter): boolean {
  const { moves = [], commits = [] } = about;
  return (
    (actor === undefined || about.actor?.name === actor) &&
    (repo === undefined || about.repo === repo) &&
    (ref === undefined || moves.some((move) => move.ref === ref)) &&
    (commit === undefined ||
      commits.includes(commit) ||
      moves.some(({ from, to }) => from === commit || to === commit)) &&
    (outcome === undefined ||
      [about.decision, about.decision.split(':')[0], about.decision.split(':')[1]].includes(outcome))
  );
}
