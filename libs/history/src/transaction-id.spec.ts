import { hash } from 'node:crypto';
import { parseRepositoryName } from '#core/name';
import { partOf, transactionOf } from './transaction-id.js';

const app = parseRepositoryName('app');

describe('the transaction of an idempotency key', () => {
  it('is the sha256 of its parts, each after its length', () => {
    const bytes = Buffer.from('\0\0\0\u0008varve-tx\0\0\0\u0003app\0\0\0\u0004key\u00e9', 'latin1');
    // "keyé" has five bytes in UTF-8.
    const utf8 = Buffer.concat([bytes.subarray(0, -8), Buffer.from([0, 0, 0, 5]), Buffer.from('keyé')]);
    expect(transactionOf(app, 'keyé')).toBe(hash('sha256', utf8, 'hex'));
  });

  it('is another for another repository, key or step', () => {
    const b = parseRepositoryName('b');
    const all = [
      transactionOf(app, 'bc'),
      transactionOf(parseRepositoryName('appb'), 'c'),
      transactionOf(app, 'b', 'c'),
      transactionOf(app, 'bc', ''),
      transactionOf(b, 'bc'),
      partOf(transactionOf(app, 'bc'), []),
      partOf(transactionOf(app, 'bc'), ['x']),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
