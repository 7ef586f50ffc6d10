import { nthFirstParent, walkLater } from '#core/ancestry';
import type { CommitId } from '#core/commit';
import { VarveError, unreachable } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { parseRefName, type RefName, type RepositoryName, shortRefName } from '#core/name';
import { type CommitRevision, type NamedRevision, parseRevision } from '#core/revision';
import type { GraphReader } from '#ports/graph-store';
import type { Placed } from './await-position.js';
import { commitAtPosition } from './commit-at-position.js';
import { commitAtTime } from './commit-at-time.js';
import { commitByMessage } from './commit-by-message.js';
import { commitByHex, commitByShortId } from './short-id.js';
import { knownRepository } from './known-repository.js';
import { commitAt, knownCommit } from './read-commit.js';
import { headOf, refsNamed, unknownRef } from './refs.js';

/** The commit a revision means. `ref` when the revision is a ref and nothing more. `warning` when another ref has the same name. */
export interface Resolved {
  readonly commit: CommitRow;
  readonly ref: RefName | null;
  readonly warning: string | null;
}

/**
 * The one commit that a revision means at `nowMs`. A bare name is a tag, then a branch, then the first digits of an id.
 * @throws NAME_INVALID (also for a range or a path, which mean no one commit), REPOSITORY_UNKNOWN, REF_UNKNOWN,
 * COMMIT_UNKNOWN, REVISION_AMBIGUOUS with the candidates, LIMIT_EXCEEDED; POSITION_UNKNOWN and NOT_PROJECTED for the value
 * at a position
 * @see surface.md 4.2
 */
export async function resolve(
  placed: Placed,
  repo: RepositoryName,
  text: string,
  nowMs: number = Date.now(),
): Promise<Resolved> {
  const revision = parseRevision(text);
  switch (revision.type) {
    case 'range':
    case 'symmetric-range':
      throw notOne(text, 'a range of commits, and one commit is asked for', ['varve log', 'varve diff']);
    case 'path':
      throw notOne(text, 'a path in a tree, and a commit is asked for', ['varve cat', 'varve ls']);
    default:
      return resolveRevision(placed, repo, { text, revision, nowMs });
  }
}

/** The same for one that is parsed already, a side of a range say; `text` is for messages. @throws as `resolve` */
export async function resolveRevision(
  { graph, log }: Placed,
  repo: RepositoryName,
  asked: { readonly text: string; readonly revision: CommitRevision; readonly nowMs?: number },
): Promise<Resolved> {
  await knownRepository(graph, repo);
  const { text, revision, nowMs = Date.now() } = asked;
  return evaluate({ graph, log, repo, text, nowMs }, revision);
}

/**
 * The full name of the ref that `text` names: `refs/heads/x`, `heads/x`, or bare, a tag first. Also of a deleted ref.
 * @throws NAME_INVALID, REF_UNKNOWN
 */
export async function resolveRefName(graph: GraphReader, repo: RepositoryName, text: string): Promise<RefName> {
  const revision = parseRevision(text);
  await knownRepository(graph, repo);
  if (revision.type !== 'name' && revision.type !== 'ref' && revision.type !== 'head') {
    throw new VarveError('NAME_INVALID', `"${text}" names a commit where a ref is asked for`, { text });
  }
  return (await findRefs({ graph, repo, text }, revision)).ref;
}

/** What names of refs are looked for in. */
interface Named {
  readonly graph: GraphReader;
  readonly repo: RepositoryName;
  readonly text: string;
}

interface Question extends Named, Placed {
  readonly nowMs: number;
}

async function evaluate(question: Question, revision: CommitRevision): Promise<Resolved> {
  const { graph, repo, text } = question;
  switch (revision.type) {
    case 'name':
      return nameOrId(question, revision.name);
    case 'ref':
      return tipOf(question, { ref: revision.ref, warning: null });
    case 'head':
      return tipOf(question, { ref: await headOf(graph, repo), warning: null });
    case 'digest':
      return only(
        await commitByHex(graph, repo, { hex: revision.hex, kinds: ['manifest', 'config', 'diff', 'chain'], text }),
      );
    case 'v1':
      return only(await commitByHex(graph, repo, { hex: revision.hex, kinds: ['v1'], text }));
    case 'ancestor': {
      const { commit, warning } = await evaluate(question, revision.of);
      return only(await ancestor(question, commit, revision.generations), warning);
    }
    case 'parent': {
      const { commit, warning } = await evaluate(question, revision.of);
      return only(await parent(question, commit, revision.parent), warning);
    }
    case 'reflog':
      return formerTip(question, await findRefs(question, revision.of), revision.moves);
    case 'at-time': {
      const { ref, warning } = await findRefs(question, revision.of);
      return only(await commitAtTime(question, { ref, time: revision.time }), warning);
    }
    case 'at-position': {
      const { ref, warning } = await findRefs(question, revision.of);
      return only(await commitAtPosition(question, { ref, position: revision.position }), warning);
    }
    case 'message':
      return only(await commitByMessage(graph, repo, revision.text));
    default:
      return unreachable(revision);
  }
}

/** A full id is an id, whatever refs are called; anything shorter is a ref if there is one. */
async function nameOrId(question: Question, name: string): Promise<Resolved> {
  const { graph, repo } = question;
  if (/^[0-9a-f]{64}$/.test(name)) {
    const commit = await graph.commit(repo, name as CommitId);
    return only(commit ?? (await commitByShortId(graph, repo, name)));
  }
  const found = await existingRefs(question, name, false);
  if (found) return tipOf(question, found);
  if (/^[0-9a-f]{4,63}$/.test(name)) return only(await commitByShortId(graph, repo, name));
  throw await unknownRef(graph, repo, name);
}

interface FoundRef {
  readonly ref: RefName;
  readonly warning: string | null;
}

/**
 * The deleted ref that `text` names: in full, or bare, a tag first. One that is there when none of its names is deleted.
 * @throws NAME_INVALID, REPOSITORY_UNKNOWN, REF_UNKNOWN
 */
export async function resolveDeletedRef(graph: GraphReader, repo: RepositoryName, text: string): Promise<RefName> {
  if (/^(?:refs|heads|tags)\//.test(text)) return parseRefName(text);
  for (const ref of refsNamed(text)) if ((await graph.ref(repo, ref))?.commit === null) return ref;
  return resolveRefName(graph, repo, text);
}

/** The ref that a name means, which may be deleted now. */
async function findRefs(question: Named, named: NamedRevision): Promise<FoundRef> {
  const { graph, repo } = question;
  switch (named.type) {
    case 'ref':
      return { ref: named.ref, warning: null };
    case 'head':
      return { ref: (await knownRepository(graph, repo)).defaultBranch, warning: null };
    case 'name': {
      const found =
        (await existingRefs(question, named.name, false)) ?? (await existingRefs(question, named.name, true));
      if (found) return found;
      throw await unknownRef(graph, repo, named.name);
    }
    default:
      return unreachable(named);
  }
}

async function existingRefs({ graph, repo }: Named, name: string, alsoDeleted: boolean): Promise<FoundRef | undefined> {
  const found: RefName[] = [];
  for (const ref of refsNamed(name)) {
    const value = await graph.ref(repo, ref);
    if (value && (alsoDeleted || value.commit !== null)) found.push(ref);
  }
  const [ref, other] = found;
  if (ref === undefined) return undefined;
  const warning = other === undefined ? null : `"${name}" is ambiguous: ${ref} is used, and there is ${other}`;
  return { ref, warning };
}

async function tipOf({ graph, repo }: Question, { ref, warning }: FoundRef): Promise<Resolved> {
  const value = await graph.ref(repo, ref);
  if (!value?.commit) throw await unknownRef(graph, repo, ref);
  return { commit: await knownCommit(graph, repo, value.commit), ref, warning };
}

async function formerTip(
  { graph, repo, text }: Question,
  { ref, warning }: FoundRef,
  moves: number,
): Promise<Resolved> {
  if (!(await graph.ref(repo, ref))) throw await unknownRef(graph, repo, ref);
  const move = await graph.reflogAt(repo, ref, moves);
  if (!move) {
    throw new VarveError('COMMIT_UNKNOWN', `"${text}": ${shortRefName(ref)} has not moved ${moves} times`, {
      text,
      ref,
      moves,
    });
  }
  if (move.to === null) {
    throw new VarveError('COMMIT_UNKNOWN', `"${text}": ${shortRefName(ref)} was deleted then`, { text, ref, moves });
  }
  return { commit: await knownCommit(graph, repo, move.to), ref: null, warning };
}

async function ancestor({ graph, repo, text }: Question, from: CommitRow, generations: number): Promise<CommitRow> {
  const row = await walkLater(nthFirstParent(from, generations), (seq) => commitAt(graph, repo, seq));
  if (row) return row;
  const message = `"${text}": commit ${from.id.slice(0, 12)} has ${from.depth} first-parent ancestors, not ${generations}`;
  throw new VarveError('COMMIT_UNKNOWN', message, { text, commit: from.id, ancestors: from.depth });
}

async function parent({ graph, repo, text }: Question, of: CommitRow, number: number): Promise<CommitRow> {
  if (number === 0) return of;
  const seq = of.parents[number - 1];
  if (seq !== undefined) return commitAt(graph, repo, seq);
  const count = of.parents.length;
  throw new VarveError(
    'COMMIT_UNKNOWN',
    `"${text}": commit ${of.id.slice(0, 12)} has ${count === 1 ? '1 parent' : `${count} parents`}, not ${number}`,
    { text, commit: of.id, parents: count },
  );
}

function only(commit: CommitRow, warning: string | null = null): Resolved {
  return { commit, ref: null, warning };
}

function notOne(text: string, form: string, verbs: readonly string[]): VarveError {
  return new VarveError('NAME_INVALID', `"${text}" is ${form}: see ${verbs.join(' and ')}`, { text });
}
