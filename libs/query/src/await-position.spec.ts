import { genesis } from '#core/commit';
import { type MemoryHistory, openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { awaitPosition } from './await-position.js';

let history: MemoryHistory;
beforeEach(() => (history = openMemoryHistory()));
afterEach(() => history.close());

async function positionAhead(records: number) {
  const { offset } = await history.graph.checkpoint(0);
  return { log: history.log.id, partition: 0, offset: offset + records };
}

describe('awaitPosition', () => {
  it('returns at once when the graph is there', async () => {
    const repo = await history.create('app');
    await awaitPosition(history, await positionAhead(0), 0);
    expect(await history.graph.repository(repo)).toBeDefined();
  });

  it('returns as soon as the graph gets there', async () => {
    const repo = await history.create('app');
    const waiting = awaitPosition(history, await positionAhead(1));
    await history.commit(repo, { parents: [genesis.id] });
    await expect(waiting).resolves.toBeUndefined();
  });

  it('answers NOT_PROJECTED rather than with less', async () => {
    await history.create('app');
    await expect(awaitPosition(history, await positionAhead(5), 30)).rejects.toMatchObject({ code: 'NOT_PROJECTED' });
  });

  it('refuses a position of another log or of no partition', async () => {
    const here = await positionAhead(0);
    for (const position of [
      { ...here, log: 'another' },
      { ...here, partition: 7 },
    ]) {
      await expect(awaitPosition(history, position)).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' });
    }
  });
});
