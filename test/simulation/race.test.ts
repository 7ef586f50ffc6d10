import { digestOf, hexOf } from '#core/digest';
import type { LogRecord } from '#core/event';
import { type DecodedRecord, decodeEvent } from '#core/event-codec';
import { decide } from '#core/fold';
import type { Facts } from '#core/graph-row';
import { OverlayFacts } from '#core/overlay-facts';
import { stateDigestAfter } from '#core/state-digest';
import { project } from '#projection/project';
import { type Project, Race } from './race.js';

const stepsPerRun = 50;

/** The seed of the first run that breaks a law, and which; run it alone with `new Race(seed, project)`. */
async function firstBroken(judge: Project, runs: number): Promise<string | undefined> {
  for (let seed = 1; seed <= runs; seed += 1) {
    try {
      await new Race(seed, judge).run(stepsPerRun);
    } catch (error) {
      return `seed ${seed}: ${(error as Error).message}`;
    }
  }
  return undefined;
}

describe('racing proposers, two projectors and a store that loses its tail', () => {
  it('keep every law, whatever the seed', async () => {
    expect(await firstBroken(project, 2_000)).toBeUndefined();
  });
});

/** The product's loop, with a fold that has lost a rule. */
function mutant(mutate: (facts: Facts, decoded: DecodedRecord) => { facts: Facts; decoded: DecodedRecord }): Project {
  return async (target, partition, from, records) => {
    const stored = await target.facts(partition, []);
    if (stored.offset !== from.offset) return undefined;
    const state = new OverlayFacts(stored);
    for (const record of records) {
      const { facts, decoded } = mutate(state, decodeEvent(record.bytes));
      const decision = decide(facts, record, decoded, { partition, partitionCount: 1 });
      if (decision.type === 'decided') for (const change of decision.changes) state.add(change);
    }
    const last = records.at(-1) as LogRecord;
    const recordDigest = hexOf(digestOf(last.bytes));
    const stateDigest = stateDigestAfter(from.stateDigest, state.changes);
    const batch = {
      previousOffset: from.offset,
      offset: last.offset,
      recordDigest,
      stateDigest,
      changes: state.changes,
    };
    return (await target.apply(partition, batch)) ? batch : undefined;
  };
}

/** Compares the commit alone: `expect` gets whatever version the ref has. */
const withoutVersions = mutant((facts, decoded) => {
  if (decoded.type === 'malformed' || !('updates' in decoded.event)) return { facts, decoded };
  const { repo } = decoded.event;
  const updates = decoded.event.updates.map((update) => {
    const version = facts.ref(repo, update.ref)?.version ?? 0;
    return { ...update, expect: { ...update.expect, version } };
  });
  return { facts, decoded: { type: 'event', event: { ...decoded.event, updates } } };
});

/** Judges every copy of a transaction. */
const withoutFirstOutcome = mutant((facts, decoded) => ({
  facts: {
    partition: () => facts.partition(),
    repository: (repo) => facts.repository(repo),
    commit: (repo, id) => facts.commit(repo, id),
    commitAt: (repo, seq) => facts.commitAt(repo, seq),
    ref: (repo, ref) => facts.ref(repo, ref),
    outcome: () => undefined,
    layer: (diffId) => facts.layer(diffId),
    blobs: (digest) => facts.blobs(digest),
  },
  decoded,
}));

/** A check that nothing can fail proves nothing: each rule that is taken out is missed. */
describe('the laws', () => {
  it('hold for the loop of the mutants when it changes nothing', async () => {
    const faithful = mutant((facts, decoded) => ({ facts, decoded }));
    expect(await firstBroken(faithful, 100)).toBeUndefined();
  });

  it('are broken when the version is left out of the comparison', async () => {
    expect(await firstBroken(withoutVersions, 500)).toMatch(/which it never expected/);
  });

  it('are broken when a transaction may have a second outcome', async () => {
    expect(await firstBroken(withoutFirstOutcome, 500)).toMatch(/was told|took effect|did not do/);
  });
});
