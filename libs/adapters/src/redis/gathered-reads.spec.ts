import { VarveError } from '#core/error';
import { GatheredReads } from './gathered-reads.js';
import type { GraphQuestion } from './graph-question.js';

const get = (key: string): GraphQuestion => ['get', key];

describe('questions of one turn', () => {
  it('go together, and each caller gets the answers to its own', async () => {
    const asked: [number, number][] = [];
    const reads = new GatheredReads(async (partition, questions) => {
      asked.push([partition, questions.length]);
      return {
        generation: 'g1',
        offset: 7,
        answers: questions.map(([, key]) => Buffer.from(`${partition} ${String(key)}`)),
      };
    });
    const [one, two, other, none] = await Promise.all([
      reads.ask(0, [get('a')]),
      reads.ask(0, [get('b'), get('c')]),
      reads.ask(1, [get('d')]),
      reads.ask(0, []),
    ]);
    expect(asked).toEqual([
      [0, 3],
      [1, 1],
    ]);
    expect([one, two, other, none].map(({ answers }) => answers.map(String))).toEqual([
      ['0 a'],
      ['0 b', '0 c'],
      ['1 d'],
      [],
    ]);
    expect(none).toMatchObject({ generation: 'g1', offset: 7 });
    await reads.ask(0, [get('later')]);
    expect(asked).toHaveLength(3);
  });

  it('fail together when the server is away, and apart when one of them asks for what is lost', async () => {
    const reads = new GatheredReads(async (_, questions) => {
      const keys = questions.map(([, key]) => key);
      if (keys.includes('away')) throw new VarveError('UNAVAILABLE', 'away');
      if (keys.includes('lost')) throw new VarveError('CORRUPT', 'lost');
      return { generation: 'g1', offset: 0, answers: questions.map(() => null) };
    });
    const codes = async (...keys: string[]) =>
      (await Promise.allSettled(keys.map((key) => reads.ask(0, [get(key)])))).map((one) =>
        one.status === 'fulfilled' ? 'answered' : (one.reason as VarveError).code,
      );
    expect(await codes('a', 'lost', 'b')).toEqual(['answered', 'CORRUPT', 'answered']);
    expect(await codes('a', 'away')).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
  });

  it('are not too many at once', async () => {
    const asked: number[] = [];
    const reads = new GatheredReads(async (_, questions) => {
      asked.push(questions.length);
      return { generation: null, offset: -1, answers: questions.map(() => null) };
    });
    await Promise.all(Array.from({ length: 150 }, () => reads.ask(0, [get('a')])));
    expect(asked).toEqual([64, 64, 22]);
  });
});
