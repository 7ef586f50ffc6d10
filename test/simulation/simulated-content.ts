import { parseRepositoryName, branchRef } from '#core/name';
import { absent, activation, commitOn, main, move, recordBytes, repoCreate, txidOf } from '../fixture/event-builder.js';

export { main, tester } from '../fixture/event-builder.js';

/** What every log of a simulation begins with: the rules, and repositories with the same few commits. */

const first = commitOn([], 'first');
const second = commitOn([first], 'second');
export const dag = [first, second, commitOn([first], 'side'), commitOn([second], 'third')];

const repositories = [parseRepositoryName('team/app'), parseRepositoryName('team/base')];
export const refs = [main, branchRef('dev')];
export const initialMain = { commit: first.id, version: 1 };

export const firstRecord = recordBytes(activation);
export const creations = repositories.map((repo) => ({
  repo,
  bytes: recordBytes(
    repoCreate(txidOf(`create ${repo}`), { repo, commits: dag, updates: [move(main, absent, first.id)] }),
  ),
}));
