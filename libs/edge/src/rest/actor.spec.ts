import { actorOf } from './actor.js';

/** Header bytes as Node gives them. */
const latin1 = (text: string) => Buffer.from(text).toString('latin1');

describe('actorOf', () => {
  it('reads the name as UTF-8 and never verifies it', () => {
    expect(actorOf({ 'varve-actor': latin1('Zoë@host') })).toEqual({ name: 'Zoë@host', verified: false });
  });

  it('calls who does not say anonymous', () => {
    expect(actorOf({}).name).toBe('anonymous');
    expect(actorOf({ 'varve-actor': '  ' }).name).toBe('anonymous');
  });

  it('refuses bytes that are no text, and names without end', () => {
    expect(() => actorOf({ 'varve-actor': '\xff' })).toThrow(/not UTF-8/);
    expect(() => actorOf({ 'varve-actor': 'x'.repeat(256) })).toThrow(/more than 255/);
  });
});
