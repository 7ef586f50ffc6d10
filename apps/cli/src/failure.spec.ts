import { VarveError } from '#core/error';
import { failureOf } from './failure.js';
import { OutputClosed } from './output.js';

const plain = { json: false, debug: false };

it('says message, code and the command to try next', () => {
  const refused = new VarveError('UNAVAILABLE', 'no server answers at http://127.0.0.1:7373', { refused: true });
  expect(failureOf(refused, plain)).toEqual({
    exit: 5,
    text: [
      'varve: no server answers at http://127.0.0.1:7373 (UNAVAILABLE)',
      '       try: varve serve (or name another server with --server or VARVE_SERVER)',
    ].join('\n'),
  });
});

it('lists what was perhaps meant', () => {
  const error = new VarveError('REF_UNKNOWN', 'there is no ref "mian" in app', { suggestions: ['main'] });
  expect(failureOf(error, plain).text).toContain('did you mean main?');
});

it('is one line of JSON under --json', () => {
  const failure = failureOf(new VarveError('REF_STALE', 'main has moved', { ref: 'refs/heads/main' }), {
    json: true,
    debug: false,
  });
  expect(JSON.parse(failure.text)).toEqual({
    error: { code: 'REF_STALE', message: 'main has moved', detail: { ref: 'refs/heads/main' } },
  });
  expect(failure.exit).toBe(4);
});

it('shows a stack for a fault of ours only, and only when asked', () => {
  const fault = new TypeError('x is not a function');
  expect(failureOf(fault, plain).exit).toBe(70);
  expect(failureOf(fault, plain).text).not.toContain('failure.spec.ts');
  expect(failureOf(fault, { json: false, debug: true }).text).toContain('failure.spec.ts');
  expect(failureOf(new VarveError('NAME_INVALID', 'bad'), { json: false, debug: true }).text).not.toContain(
    'failure.spec',
  );
});

it('names the command that tells what became of a write, with all that it takes', () => {
  const detail = { txid: 'ab'.repeat(16), repository: 'library/app', gcEpoch: 3 };
  const unknown = new VarveError('OUTCOME_UNKNOWN', 'it has no outcome yet', detail);
  expect(failureOf(unknown, plain).text).toContain(
    `try: varve transaction show ${'ab'.repeat(16)} --repo library/app --gc-epoch 3, which says`,
  );
  const collection = new VarveError('OUTCOME_UNKNOWN', 'run it again', { txid: 'ab'.repeat(16), partition: 0 });
  expect(failureOf(collection, plain).text).toBe('varve: run it again (OUTCOME_UNKNOWN)');
});

it('has nothing to say when the reader of a list has left', () => {
  expect(failureOf(new OutputClosed(), plain)).toEqual({ exit: 0, text: '' });
});
