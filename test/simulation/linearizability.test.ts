import type { RefValue } from '#core/ref';
import { commitOn } from '../fixture/event-builder.js';
import { isLinearizable, type RefOperationSeen } from './linearizability.js';

const [a, b, c] = ['a', 'b', 'c'].map((name) => commitOn([], name).id) as [RefValue['commit'], never, never];
const at = (commit: RefValue['commit'], version: number): RefValue => ({ commit, version });
const initial = at(a, 1);

type Span = readonly [invoked: number, returned: number];

function swap([invoked, returned]: Span, expect: RefValue, value: RefValue): RefOperationSeen {
  return { invoked, returned, call: { type: 'swap', expect, to: value.commit }, answer: { type: 'ok', value } };
}
function lost([invoked, returned]: Span, expect: RefValue): RefOperationSeen {
  return { invoked, returned, call: { type: 'swap', expect, to: c }, answer: { type: 'stale' } };
}
function unknown(invoked: number, expect: RefValue, to: RefValue['commit']): RefOperationSeen {
  return { invoked, returned: Infinity, call: { type: 'swap', expect, to }, answer: { type: 'unknown' } };
}
function read([invoked, returned]: Span, value: RefValue): RefOperationSeen {
  return { invoked, returned, call: { type: 'read' }, answer: { type: 'ok', value } };
}

const good: Readonly<Record<string, readonly RefOperationSeen[]>> = {
  'nothing happened': [],
  'one after the other': [swap([1, 2], initial, at(b, 2)), read([3, 4], at(b, 2)), swap([5, 6], at(b, 2), at(c, 3))],
  'two at once, one wins': [swap([1, 4], initial, at(b, 2)), lost([2, 3], initial)],
  'a read beside a swap sees what was before': [swap([1, 4], initial, at(b, 2)), read([2, 3], initial)],
  'an unknown one took effect': [unknown(1, initial, b), read([5, 6], at(b, 2))],
  'an unknown one took effect long after another read': [
    unknown(1, initial, b),
    read([5, 6], initial),
    read([7, 8], at(b, 2)),
  ],
  'an unknown one never took effect': [unknown(1, initial, b), swap([2, 3], initial, at(c, 2))],
};

const bad: Readonly<Record<string, readonly RefOperationSeen[]>> = {
  'two swaps from one value': [swap([1, 4], initial, at(b, 2)), swap([2, 3], initial, at(c, 3))],
  'a swap that was answered is lost': [swap([1, 2], initial, at(b, 2)), read([3, 4], initial)],
  'a refused swap took effect': [lost([1, 2], initial), read([3, 4], at(c, 2))],
  'a swap is refused although nothing had happened': [lost([1, 2], initial)],
  'a read goes back': [swap([1, 9], initial, at(b, 2)), read([2, 3], at(b, 2)), read([4, 5], initial)],
  'away and back is taken for never moved': [
    swap([1, 2], initial, at(b, 2)),
    swap([3, 4], at(b, 2), at(a, 3)),
    swap([5, 6], initial, at(c, 4)),
  ],
  'an unknown one took effect twice': [
    unknown(1, initial, b),
    read([2, 3], at(b, 2)),
    swap([4, 5], at(b, 2), at(a, 3)),
    read([6, 7], at(b, 4)),
  ],
  'a version goes back': [swap([1, 2], initial, at(b, 1))],
};

describe('the checker of histories', () => {
  it.each(Object.entries(good))('takes a good one: %s', (_, history) => {
    expect(isLinearizable(history, initial)).toBe(true);
  });
  it.each(Object.entries(bad))('refuses a bad one: %s', (_, history) => {
    expect(isLinearizable(history, initial)).toBe(false);
  });
});
