import { differencesOf } from './config-differences.js';

describe('differences of configurations', () => {
  it('are told by key, lists and values whole', () => {
    const before = { config: { Env: ['A=1'], Cmd: ['sh'], User: '' }, os: 'linux' };
    const after = { config: { Env: ['A=2'], Cmd: ['sh'], 'a/b~c': 1 }, os: 'linux' };
    expect(differencesOf(before, after)).toEqual([
      { pointer: '/config/Env', before: ['A=1'], after: ['A=2'] },
      { pointer: '/config/User', before: '', after: undefined },
      { pointer: '/config/a~1b~0c', before: undefined, after: 1 },
    ]);
  });

  it('leave out what is told as layers and commits', () => {
    expect(differencesOf({ rootfs: 1, history: [1] }, { rootfs: 2, history: [2] })).toEqual([]);
  });

  it('of a configuration that is new are told key by key', () => {
    expect(differencesOf(null, { os: 'linux', config: { User: 'x' } })).toEqual([
      { pointer: '/config/User', before: undefined, after: 'x' },
      { pointer: '/os', before: undefined, after: 'linux' },
    ]);
  });

  it('are none of what is no object but equal', () => {
    expect(differencesOf([1], [1])).toEqual([]);
    expect(differencesOf([1], 'x')).toEqual([{ pointer: '', before: [1], after: 'x' }]);
  });
});
