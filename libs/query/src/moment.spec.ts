import { openMemoryHistory } from '../../../test/fixture/memory-history.js';
import { graphAtMoment } from './moment.js';

describe('a moment that a reader names', () => {
  const history = openMemoryHistory();
  afterAll(() => history.close());
  const now = Date.UTC(2026, 5, 1);
  const refs = async (text: string) => (await graphAtMoment(history, text, now)).refs('app' as never);

  beforeAll(async () => {
    const repo = await history.create('app');
    const id = await history.commit(repo, { message: 'one' });
    await history.point(repo, 'tags/v1', id);
  });

  it.each(['2026-05-31', '2026-05-31T00:00:00Z', '1.day.ago', 'yesterday'])('may be %s', async (text) => {
    expect((await refs(text)).map(({ ref }) => ref)).toEqual(['refs/heads/main', 'refs/tags/v1']);
  });

  it('may be a position, of this log', async () => {
    const { offset } = await history.graph.checkpoint(0);
    expect(await refs(`${history.log.id}.0.${offset - 1}`)).toHaveLength(1);
    await expect(refs(`other.0.${offset}`)).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' });
  });

  it.each([
    ['2026-06-02', 'TIME_UNKNOWN'],
    ['9999-12-31', 'TIME_UNKNOWN'],
    ['soon', 'REQUEST_INVALID'],
    ['', 'REQUEST_INVALID'],
    ['2026-13-01', 'REQUEST_INVALID'],
    ['a.0', 'REQUEST_INVALID'],
  ])('is not %j', async (text, code) => {
    await expect(refs(text)).rejects.toMatchObject({ code });
  });
});
