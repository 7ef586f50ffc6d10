import { canonicalJson, isCanonicalText, type Json } from './canonical-json.js';

const cases: readonly [title: string, value: Json, text: string][] = [
  ['sorts keys by UTF-16 code units', { b: 1, a: 2, B: 3 }, '{"B":3,"a":2,"b":1}'],
  // RFC 8785 3.2.3: the surrogate pair of 😂 (U+1F602) sorts before U+FB33, although its code point is greater.
  ['sorts a surrogate pair before U+FB33', { '\ufb33': 1, '\ud83d\ude02': 2 }, '{"\ud83d\ude02":2,"\ufb33":1}'],
  ['sorts inside nested values', [{ z: { y: 1, x: [] } }], '[{"z":{"x":[],"y":1}}]'],
  ['escapes as ECMAScript does', '\u0000\b\t\n\f\r"\\/\u007f', '"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\u007f"'],
  ['leaves other characters as they are', 'é€\u2028', '"é€\u2028"'],
  ['writes numbers as ECMAScript does', [0, -0, -1, 9007199254740991], '[0,0,-1,9007199254740991]'],
  ['writes the three words', [null, true, false], '[null,true,false]'],
  ['keeps a key that is spelled __proto__', JSON.parse('{"__proto__":1}') as Json, '{"__proto__":1}'],
];

describe('canonicalJson', () => {
  it.each(cases)('%s', (_title, value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it.each([
    ['a fraction', 0.5],
    ['an unsafe integer', 2 ** 53],
    ['not a number', Number.NaN],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
    ['undefined', undefined as unknown as Json],
    ['undefined in an object', { a: undefined as unknown as Json }],
  ])('refuses %s', (_title, value) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'COMMIT_INVALID' }));
  });

  it('reads back as the same value', () => {
    const value = { text: 'ä\n', list: [1, [], {}], nothing: null };
    expect(JSON.parse(canonicalJson(value))).toEqual(value);
  });
});

describe('isCanonicalText', () => {
  it.each([
    ...cases.map(([, , text]) => text),
    '{"a":{"b":[{"c":"\\\\ud800","d":0}]}}',
    '{"10":0,"9":0}',
    '{"a":"\\u001f"}',
  ])('is true of %s', (text) => {
    expect(canonicalJson(JSON.parse(text) as Json)).toBe(text);
    expect(isCanonicalText(text, JSON.parse(text) as Json)).toBe(true);
  });

  it.each([
    '{"b":0,"a":0}',
    '[{"b":0,"a":0}]',
    '{"9":0,"10":0}',
    '{"a":0,"a":0}',
    '{ "a":0}',
    '-0',
    '1.0',
    '1e2',
    '"\\u0041"',
    '"\\ud83d\\ude02"',
    '"\\/"',
    '"\\u001F"',
  ])('is false of %s', (text) => {
    expect(isCanonicalText(text, JSON.parse(text) as Json)).toBe(false);
  });

  it.each(['"\\ud800"', '0.5', '9007199254740993'])('refuses what no text is canonical for: %s', (text) => {
    expect(() => isCanonicalText(text, JSON.parse(text) as Json)).toThrow(
      expect.objectContaining({ code: 'COMMIT_INVALID' }),
    );
  });
});
