import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommitId } from '#core/commit';
import type { RefValue } from '#core/ref';
import { commitOn } from '../fixture/event-builder.js';
import { isLinearizable } from '../simulation/linearizability.js';
import { HistoryRecorder, readHistory, type RefCall, type RefEnd, seenOf } from './history.js';

const [a, b, c] = ['a', 'b', 'c'].map((name) => commitOn([], name).id) as [CommitId, CommitId, CommitId];
const at = (commit: CommitId | null, version: number): RefValue => ({ commit, version });
const initial = at(a, 1);

const read: RefCall = { type: 'read' };
const ok = (value: RefValue): RefEnd => ({ type: 'ok', value });
const stale: RefEnd = { type: 'fail', code: 'REF_STALE' };
const swap = (expect: RefValue, to: CommitId | null): RefCall => ({ type: 'swap', expect, to });
const commit = (expect: RefValue): RefCall => ({ type: 'commit', expect });

/** What happens, in the order of time: a name begins with what it wants, or ends with what it was told. */
type Step = readonly [name: string, what: RefCall | RefEnd];

const good: Readonly<Record<string, readonly Step[]>> = {
  'nothing happened': [],
  'one after the other': [
    ['1', swap(initial, b)],
    ['1', ok(at(b, 2))],
    ['2', read],
    ['2', ok(at(b, 2))],
  ],
  'two at once, one wins': [
    ['1', swap(initial, b)],
    ['2', swap(initial, c)],
    ['2', stale],
    ['1', ok(at(b, 2))],
  ],
  'deleted, not there, made again': [
    ['1', swap(initial, null)],
    ['1', ok(at(null, 2))],
    ['2', read],
    ['2', { type: 'absent' }],
    ['3', { type: 'create', to: a }],
    ['3', ok(at(a, 3))],
  ],
  'nobody knows of one, and it is seen later': [
    ['1', swap(initial, b)],
    ['1', { type: 'info', code: 'OUTCOME_UNKNOWN' }],
    ['2', read],
    ['2', ok(initial)],
    ['3', read],
    ['3', ok(at(b, 2))],
  ],
  'a client died, and its commit is there': [
    ['1', commit(initial)],
    ['2', read],
    ['2', ok(at(c, 2))],
  ],
  'a refusal for another reason says nothing': [
    ['1', swap(initial, b)],
    ['1', { type: 'fail', code: 'BLOB_GONE' }],
  ],
};

const bad: Readonly<Record<string, readonly Step[]>> = {
  'a move that was acknowledged is lost': [
    ['1', swap(initial, b)],
    ['1', ok(at(b, 2))],
    ['2', read],
    ['2', ok(initial)],
  ],
  'a refused move took effect': [
    ['1', swap(initial, b)],
    ['1', stale],
    ['2', read],
    ['2', ok(at(b, 2))],
  ],
  'two moves from one value': [
    ['1', swap(initial, b)],
    ['2', swap(initial, c)],
    ['1', ok(at(b, 2))],
    ['2', ok(at(c, 3))],
  ],
  'a read goes back': [
    ['1', swap(initial, b)],
    ['2', read],
    ['2', ok(at(b, 2))],
    ['3', read],
    ['3', ok(initial)],
    ['1', ok(at(b, 2))],
  ],
  'made although it is there': [
    ['1', { type: 'create', to: b }],
    ['1', ok(at(b, 2))],
  ],
  'gone although nobody deleted it': [
    ['1', read],
    ['1', { type: 'absent' }],
  ],
  'nobody knows of one, and it happened twice': [
    ['1', commit(initial)],
    ['1', { type: 'info', code: 'OUTCOME_UNKNOWN' }],
    ['2', read],
    ['2', ok(at(c, 2))],
    ['3', swap(at(c, 2), a)],
    ['3', ok(at(a, 3))],
    ['4', read],
    ['4', ok(at(c, 4))],
  ],
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'varve-history-'));
  path = join(folder, 'history.ndjson');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes the steps with the recorder, and judges what the file says. */
function judge(steps: readonly Step[]): boolean {
  const recorder = new HistoryRecorder(path);
  const begun = new Set<string>();
  for (const [name, what] of steps) {
    if (begun.has(name)) recorder.end(name, what as RefEnd);
    else recorder.invoke({ name, client: 'c', repo: 'r', ref: 'refs/heads/main', call: what as RefCall });
    begun.add(name);
  }
  recorder.close();
  // What became of the commit that nobody was told of is in the reflog.
  return isLinearizable(
    seenOf(readHistory(path), (name) => (name === '1' ? c : undefined)),
    initial,
  );
}

describe('a history, written down, read again and judged', () => {
  it.each(Object.entries(good))('is good: %s', (_, steps) => {
    expect(judge(steps)).toBe(true);
  });

  it.each(Object.entries(bad))('is bad: %s', (_, steps) => {
    expect(judge(steps)).toBe(false);
  });

  it('says of a commit that the reflog does not have that it never was', () => {
    const recorder = new HistoryRecorder(path);
    recorder.invoke({ name: '9', client: 'c', repo: 'r', ref: 'refs/heads/main', call: commit(initial) });
    recorder.close();
    expect(seenOf(readHistory(path), () => undefined)).toEqual([]);
  });

  it('is in the file before the next thing happens, with the time for people', () => {
    const recorder = new HistoryRecorder(path);
    recorder.invoke({ name: '1', client: 'c', repo: 'r', ref: 'refs/heads/main', call: read });
    const [line] = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(JSON.parse(line as string)).toMatchObject({
      type: 'invoke',
      name: '1',
      at: expect.stringMatching(/^\d{4}-/),
    });
    expect(() => new HistoryRecorder(path)).toThrow('EEXIST');
    recorder.close();
  });
});

describe('a file that is no history', () => {
  const begin = '{"type":"invoke","name":"1","client":"c","repo":"r","ref":"x","call":{"type":"read"}}\n';
  const end = '{"type":"absent","name":"1"}\n';
  it.each([
    ['a line that is cut off', begin.slice(0, -10), 'ends in the middle of a line'],
    ['a line of something else', 'hello\n', ':1 is no line of a history: hello'],
    ['a line without a name', '{"type":"ok"}\n', ':1 is no line of a history'],
    ['an end without its beginning', end, ':1: 1 ends and never began'],
    ['an operation that begins twice', begin + begin, ':2: 1 begins twice'],
    ['an operation that ends twice', begin + end + end, ':3: 1 ends twice'],
  ])('%s', (_, text, message) => {
    writeFileSync(path, text);
    expect(() => readHistory(path)).toThrow(message);
  });

  it('a write that is told that nothing is there', () => {
    writeFileSync(path, begin.replace('{"type":"read"}', `{"type":"create","to":"${a}"}`));
    appendFileSync(path, end);
    expect(() => seenOf(readHistory(path), () => undefined)).toThrow('1 is a write and was told that nothing is there');
  });
});
