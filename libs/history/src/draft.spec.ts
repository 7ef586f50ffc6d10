import { encodeEvent } from '#core/event-codec';
import { limit } from '#core/limit';
import {
  absent,
  app,
  commitOn,
  documentBlob,
  layerBlob,
  main,
  move,
  tester,
} from '../../../test/fixture/event-builder.js';
import { type Content, type ProposalDraft, splitDraft } from './draft.js';

const root = commitOn([], 'root');
const draftOf = (content: Partial<Content>): ProposalDraft => ({
  type: 'ref.update.v1',
  repo: app,
  operation: 'load',
  blobs: [],
  commits: [],
  updates: [move(main, absent, root.id)],
  ...content,
});

/** As large as a record with this content can get: with the longest reason and media types. */
function recordSizeOf({ blobs, commits }: Content, updates: ProposalDraft['updates']): number {
  const event = {
    type: 'ref.update.v1',
    txid: 'f'.repeat(64),
    repo: app,
    actor: tester,
    request: 'f'.repeat(64),
    gcEpoch: Number.MAX_SAFE_INTEGER,
    operation: 'rollback',
    reason: '"'.repeat(limit.commitTextBytesMax),
    blobs,
    commits: commits.map(({ bytes }) => bytes),
    updates,
  } as const;
  return encodeEvent(event, { source: 'varve/test', time: 0, salt: Buffer.alloc(16) }).length;
}

describe('splitDraft', () => {
  it('leaves what fits in one record', () => {
    const draft = draftOf({ commits: [root], blobs: [layerBlob('a')] });
    expect(splitDraft(draft)).toEqual({ before: [], last: draft });
  });

  it('puts what does not fit before the ref moves: blobs first, commits in order, every part in one record', () => {
    const commits = Array.from({ length: 60 }, (_, n) => commitOn([], `${n}`.padEnd(30_000, 'x')));
    const blobs = Array.from({ length: 1_500 }, (_, n) => ({
      ...(n % 2 ? layerBlob(`${n}`, 'i'.repeat(64)) : documentBlob(`${n}`, 'i'.repeat(64))),
      mediaType: '"'.repeat(255),
    }));
    const draft = draftOf({ commits, blobs });
    const { before, last } = splitDraft(draft);
    expect(before.length).toBeGreaterThan(4);
    expect(last).toEqual({ ...draft, commits: [], blobs: [] });
    expect(before.flatMap((part) => part.commits)).toEqual(commits);
    expect(before.flatMap((part) => part.blobs)).toEqual(blobs);
    const lastBlobs = before.findLastIndex((part) => part.blobs.length > 0);
    expect(before.findIndex((part) => part.commits.length > 0)).toBeGreaterThanOrEqual(lastBlobs);
    for (const part of before) {
      expect(part.commits.length + part.blobs.length).toBeGreaterThan(0);
      expect(recordSizeOf(part, [])).toBeLessThanOrEqual(limit.recordBytesMax);
    }
  });

  it('splits when moves take the room that commits need', () => {
    const ref = (n: number) => `refs/heads/${`${n}`.padEnd(240, 'x')}` as typeof main;
    const updates = Array.from({ length: 800 }, (_, n) => move(ref(n), absent, root.id));
    const draft = { ...draftOf({ commits: [commitOn([], 'x'.repeat(60_000))] }), updates };
    const { before, last } = splitDraft(draft);
    expect(before).toHaveLength(1);
    expect(recordSizeOf(last, last.updates)).toBeLessThanOrEqual(limit.recordBytesMax);
  });

  it('never puts anything before the creation of the repository', () => {
    const commits = Array.from({ length: 20 }, (_, n) => commitOn([], `${n}`.padEnd(60_000, 'x')));
    const draft: ProposalDraft = { ...draftOf({ commits }), type: 'repo.create.v1', defaultBranch: main };
    expect(splitDraft(draft)).toEqual({ before: [], last: draft });
  });
});
