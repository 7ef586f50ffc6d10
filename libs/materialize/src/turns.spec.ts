import { setTimeout } from 'node:timers/promises';
import { Turns } from './turns.js';

describe('Turns', () => {
  it('lets so many work at one time, in the order they came, and goes on after an error', async () => {
    const turns = new Turns(3);
    const started: number[] = [];
    let working = 0;
    let workingMost = 0;
    const all = Array.from({ length: 20 }, (_, number) =>
      turns.take(async () => {
        started.push(number);
        workingMost = Math.max(workingMost, ++working);
        await setTimeout(number % 3);
        working--;
        if (number % 5 === 0) throw new Error(`number ${number}`);
        return number;
      }),
    );
    const ended = await Promise.allSettled(all);
    expect(workingMost).toBe(3);
    expect(started).toEqual(Array.from({ length: 20 }, (_, number) => number));
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(4);
    expect(await turns.take(async () => 'free')).toBe('free');
  });
});
