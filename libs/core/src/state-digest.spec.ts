import { hash } from 'node:crypto';
import type { CommitId } from './commit.js';
import { coalesce } from './coalesce.js';
import { digestOf } from './digest.js';
import { type Change, newPartition, type OutcomeRow } from './graph-row.js';
import { branchRef, parseRepositoryName } from './name.js';
import { emptyStateDigest, stateDigestAfter, stateDigestOf, withOutcome } from './state-digest.js';

const repo = parseRepositoryName('app');
const main = branchRef('main');
const id = (digit: string) => digit.repeat(64) as CommitId;

const repository = { repo, generation: 1, defaultBranch: main, moves: 0, commits: 0, floor: 0, createdAt: 5 };
const setRef = (before: string | null, after: string, version: number): Change => ({
  type: 'ref',
  repo,
  ref: main,
  before: before === null ? null : { commit: id(before), version: version - 1 },
  after: { commit: id(after), version },
});
const blob = { digest: digestOf('b'), incarnation: 'i', size: 1, mediaType: 'm', retiredEpoch: null, sweptEpoch: null };
const outcome: OutcomeRow = {
  txid: 'a'.repeat(32),
  repo,
  request: null,
  offset: 1,
  time: 1,
  stretch: 0,
  outcome: { type: 'rejected', code: 'REF_STALE', message: 'one way to say it', detail: {} },
};

describe('the state digest', () => {
  it('before the first record is the digest of the one row there is', () => {
    const row = `9 partition 0 0 0 0  0 0 0 0 ${'0'.repeat(64)}`;
    expect(emptyStateDigest).toBe(hash('sha256', row, 'hex'));
  });

  it('of several partitions is the sum of theirs, modulo 2^256; of one, its own', () => {
    expect(stateDigestOf([emptyStateDigest])).toBe(emptyStateDigest);
    const [high, low] = ['f'.repeat(64), `${'0'.repeat(63)}3`];
    expect(stateDigestOf([high, low])).toBe(`${'0'.repeat(63)}2`);
    const changes: readonly Change[] = [setRef(null, 'a', 1), { type: 'blob', before: null, after: blob }];
    const apart = changes.map((change) => stateDigestAfter('0'.repeat(64), [change]));
    expect(stateDigestOf(apart)).toBe(stateDigestAfter('0'.repeat(64), changes));
  });

  it('adds the hashes of rows as numbers of 256 bits', () => {
    const row = hash('sha256', `23 ref app refs/heads/main ${id('a')} 1`, 'hex');
    const sum = (BigInt(`0x${emptyStateDigest}`) + BigInt(`0x${row}`)) % 2n ** 256n;
    expect(stateDigestAfter(emptyStateDigest, [setRef(null, 'a', 1)])).toBe(sum.toString(16).padStart(64, '0'));
  });

  it('takes away what a change replaces, across zero', () => {
    const small = `${'0'.repeat(63)}1`;
    const there = stateDigestAfter(small, [{ type: 'blob', before: null, after: blob }]);
    expect(stateDigestAfter(there, [{ type: 'blob', before: blob, after: null }])).toBe(small);
    const negative = stateDigestAfter(small, [{ type: 'blob', before: blob, after: null }]);
    expect(stateDigestAfter(negative, [{ type: 'blob', before: null, after: blob }])).toBe(small);
  });

  it('does not depend on the order, the steps or the way between', () => {
    const steps: Change[] = [
      { type: 'partition', before: newPartition, after: { ...newPartition, rules: 1, time: 9 } },
      { type: 'repository', before: null, after: repository },
      setRef(null, 'a', 1),
      { type: 'outcome', after: outcome },
      setRef('a', 'b', 2),
      { type: 'blob', before: null, after: blob },
      setRef('b', 'a', 3),
    ];
    const whole = stateDigestAfter(emptyStateDigest, steps);
    expect(stateDigestAfter(emptyStateDigest, steps.toReversed())).toBe(whole);
    expect(steps.reduce((digest, step) => stateDigestAfter(digest, [step]), emptyStateDigest)).toBe(whole);
    expect(stateDigestAfter(emptyStateDigest, coalesce(steps))).toBe(whole);
  });

  it('tells states apart that differ in a version alone', () => {
    expect(stateDigestAfter(emptyStateDigest, [setRef(null, 'a', 1)])).not.toBe(
      stateDigestAfter(emptyStateDigest, [setRef(null, 'a', 2)]),
    );
  });

  it('is the same when a rejection is put in better words, and another for another code', () => {
    const nothing = '0'.repeat(64);
    const said = (fields: object) => withOutcome(nothing, { ...outcome, outcome: { ...outcome.outcome, ...fields } });
    expect(said({ message: 'another' })).toBe(withOutcome(nothing, outcome));
    expect(said({ code: 'BLOB_GONE' })).not.toBe(withOutcome(nothing, outcome));
  });

  it('has the outcomes of each stretch as one sum, in the row of the partition', () => {
    const summed = (outcomes: string): Change => {
      const after = { ...newPartition, stretches: newPartition.stretches.map((stretch) => ({ ...stretch, outcomes })) };
      return { type: 'partition', before: newPartition, after };
    };
    const one = withOutcome('0'.repeat(64), outcome);
    const other = withOutcome('0'.repeat(64), { ...outcome, txid: 'b'.repeat(32) });
    const both = withOutcome(one, { ...outcome, txid: 'b'.repeat(32) });
    expect(withOutcome(other, outcome)).toBe(both);
    const digestOfSum = (outcomes: string) => stateDigestAfter(emptyStateDigest, [summed(outcomes)]);
    expect(new Set([one, other, both].map(digestOfSum)).size).toBe(3);
  });
});

describe('coalesce', () => {
  it('keeps one change a row, from its first before to its last after', () => {
    const changes = coalesce([setRef(null, 'a', 1), setRef('a', 'b', 2), setRef('b', 'c', 3)]);
    expect(changes).toEqual([{ ...setRef(null, 'c', 3) }]);
  });

  it('puts repositories first and leaves out what came and went', () => {
    const changes = coalesce([
      { type: 'outcome', after: outcome },
      { type: 'blob', before: null, after: blob },
      { type: 'repository', before: null, after: repository },
      { type: 'blob', before: blob, after: null },
    ]);
    expect(changes.map(({ type }) => type)).toEqual(['repository', 'outcome']);
  });
});
