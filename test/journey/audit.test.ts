import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Workspace, workspace } from './harness/archives.js';
import { embedded, isCluster } from './harness/mode.js';
import { cleanEnvironment, type Server, startAndFail, startServer } from './harness/server.js';
import { type Ran, type Varve, varveAt } from './harness/varve.js';

/** Only files can be damaged behind a server; what is signed on servers is tried in test/cluster/audit.test.ts. */
const onFiles = embedded('what is damaged is a file');

interface Kept {
  readonly data: string;
  readonly key: string;
  /** As it was at the end. */
  readonly checkpoint: string;
  /** Of `tags/v3` where it was made first, where it was moved, and where it was moved back. */
  readonly proofs: readonly string[];
}

let work: Workspace;
let kept: Kept;

beforeAll(async () => {
  work = await workspace();
  kept = await makeHistory(join(work.path, 'sound'));
});
afterAll(() => work?.remove());

/** A tag is made, moved and moved back; a proposal is refused; the server is stopped. */
async function makeHistory(data: string): Promise<Kept> {
  const server = await startServer({ data, isAudited: true });
  const varve = at(server, join(work.path, 'state-of-the-maker'));
  await ok(varve('init', 'app'));
  await ok(varve('commit', '--empty', '-m', 'one', '--repo', 'app'));
  await ok(varve('tag', 'v3', 'main~1', '-m', 'release', '--repo', 'app'));
  const proofs = [await proof(varve, 'made')];
  await ok(varve('tag', '--move', 'v3', 'main', '-m', 'oops', '--repo', 'app'));
  proofs.push(await proof(varve, 'moved'));
  await ok(varve('tag', '--move', 'v3', 'main~1', '-m', 'back', '--repo', 'app'));
  proofs.push(await proof(varve, 'back'));
  const key = join(work.path, 'varve.pub');
  writeFileSync(key, (await ok(varve('audit', 'key'))).stdout);
  const checkpoint = join(work.path, 'kept.checkpoint');
  writeFileSync(checkpoint, (await ok(varve('audit', 'checkpoint'))).stdout);
  expect(await server.stop()).toBe(0);
  return { data, key, checkpoint, proofs };
}

async function proof(varve: Varve, name: string, ...more: string[]): Promise<string> {
  const path = join(work.path, `${name}.tlog-proof`);
  await ok(varve('audit', 'proof', '--repo', 'app', '--ref', 'tags/v3', '-o', path, ...more));
  return path;
}

/** What this machine has seen is kept in a folder of the test's own. */
function at({ url }: Pick<Server, 'url'>, state: string): Varve {
  const varve = varveAt(url);
  const run = (...args: string[]) => varve.with({ env: { ...cleanEnvironment(), VARVE_SERVER: url, XDG_STATE_HOME: state } }, ...args); // prettier-ignore
  return Object.assign(run, varve);
}

async function ok(running: Promise<Ran>): Promise<Ran> {
  const ran = await running;
  expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  return ran;
}

let serial = 0;

/** A copy of the sound store after damage, with a server on it, and a machine that has seen nothing yet. */
async function onCopy(
  damage: (data: string) => void,
  ask: (copy: { server: Server; varve: Varve; data: string; state: string }) => Promise<unknown>,
): Promise<void> {
  const data = join(work.path, `copy-${++serial}`);
  cpSync(kept.data, data, { recursive: true });
  damage(data);
  const server = await startServer({ data });
  const state = join(work.path, `state-${serial}`);
  try {
    await ask({ server, varve: at(server, state), data, state });
  } finally {
    await server.stop();
  }
}

/** The same on what nobody damaged: a copy of the files, or the servers that have it; what writes stands last. */
async function onSound(ask: Parameters<typeof onCopy>[1]): Promise<void> {
  if (!isCluster) return onCopy(() => undefined, ask);
  const server = await startServer({ data: kept.data, isAudited: true });
  const state = join(work.path, `state-${++serial}`);
  try {
    await ask({ server, varve: at(server, state), data: kept.data, state });
  } finally {
    await server.stop();
  }
}

function sql(path: string, ...statements: readonly string[]): void {
  const db = new DatabaseSync(path);
  try {
    for (const statement of statements) db.exec(statement);
  } finally {
    db.close();
  }
}

/** Offsets: 0 rules, 1 init, 2 commit, 3 made, 4 moved, 5 back. */
const swapWords = `UPDATE record SET bytes = CAST(replace(CAST(bytes AS TEXT), '"oops"', '"fine"') AS BLOB) WHERE offset = 4`;
const log = (data: string) => join(data, 'log.db');
/** As if the graph, and the trees without their checkpoints, had been lost. */
const forget = (data: string): void => {
  for (const name of ['graph.db', 'graph.db-wal', 'graph.db-shm']) rmSync(join(data, name), { force: true });
  const trees = ['entry', 'about', 'words', 'path', 'tile'].map((table) => `DELETE FROM ${table}`);
  sql(join(data, 'audit.db'), ...trees);
};

describe('what a proof shows', () => {
  it('is checked without a server, and tells a tag that came back from one that stayed', async () => {
    const told: Told[] = [];
    for (const [i, file] of kept.proofs.entries()) {
      const nowhere = at({ url: 'http://127.0.0.1:9' }, join(work.path, `state-offline-${i}`));
      told.push(JSON.parse((await ok(nowhere('--json', 'audit', 'verify', file, '--key', kept.key))).stdout) as Told);
    }

    const [made, moved, back] = told.map(({ ref }) => ref);
    expect(made?.value.commit).toBe(back?.value.commit);
    expect([made, moved, back].map((ref) => ref?.value.version)).toEqual([3, 4, 5]);
    expect([made, moved, back].map((ref) => ref?.setBy.reason)).toEqual(['release', 'oops', 'back']);
    expect(back).toMatchObject({ replayed: true, setBy: { operation: 'tag', requestId: expect.stringMatching(/./) } });
  });

  it('is refused with the key of another log, and with any byte changed', async () => {
    const nowhere = at({ url: 'http://127.0.0.1:9' }, join(work.path, 'state-changed'));
    const other = join(work.path, 'other.pub');
    writeFileSync(other, 'varve.dev/log/lother+33d7b496+AeHZzMK5BjXqCTpJZKrUeQnJ2VBKiQ4hjD1dvGnBFqQX\n');
    const text = readFileSync(kept.proofs[2] as string);
    text[text.length >> 1] = (text[text.length >> 1] as number) ^ 1;
    const changed = join(work.path, 'changed.tlog-proof');
    writeFileSync(changed, text);

    expect(await nowhere('audit', 'verify', changed, '--key', kept.key)).toMatchObject({ code: 1, stderr: expect.stringContaining('PROOF_INVALID') }); // prettier-ignore
    expect((await nowhere('audit', 'verify', kept.proofs[2] as string, '--key', other)).code).toBe(2);
  });
});

interface Told {
  readonly ref: {
    readonly value: { readonly commit: string; readonly version: number };
    readonly setBy: { readonly reason: string };
  };
}

onFiles.describe('stored bytes', () => {
  it('that nobody touched give the same proofs after a rebuild, and after the trees were lost', async () => {
    const before = readFileSync(kept.proofs[2] as string, 'utf8');
    await onCopy(
      () => undefined,
      async ({ varve }) => {
        await ok(varve('rebuild'));
        expect(readFileSync(await proof(varve, 'rebuilt'), 'utf8')).toBe(before);
      },
    );
    await onCopy(forget, async ({ varve }) => {
      expect(readFileSync(await proof(varve, 'again'), 'utf8')).toBe(before);
      expect((await varve('fsck')).code).toBe(0);
    });
  });

  it.each([
    ['a record that was changed', [swapWords], 'audit-record'],
    ['a record that was dropped', ['DELETE FROM record WHERE offset = 4'], 'audit-record'],
    ['two records that changed places', ['UPDATE record SET offset = 9 WHERE offset = 3', 'UPDATE record SET offset = 3 WHERE offset = 4', 'UPDATE record SET offset = 4 WHERE offset = 9'], 'audit-record'], // prettier-ignore
    ['a record with another time', ['UPDATE record SET time = time - 1000 WHERE offset = 4'], 'audit-record'],
  ])('are found out by fsck: %s', async (_what, statements, rule) => {
    await onCopy(
      (data) => sql(log(data), ...statements),
      async ({ varve }) => {
        const ran = await varve('fsck', '--json');
        expect(ran.code).toBe(7);
        expect(ran.stdout).toContain(`"rule":"${rule}"`);
      },
    );
  });

  it('are found out by fsck: an entry of the tree', async () => {
    await onCopy(
      (data) => sql(join(data, 'audit.db'), `UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), 'accepted', 'none') AS BLOB) WHERE id = 4`), // prettier-ignore
      async ({ varve }) => expect((await varve('fsck', '--json')).stdout).toContain('"rule":"audit-tree"'),
    );
  });

  it('that a proof needs and that were changed are not proved', async () => {
    await onCopy(
      (data) => sql(log(data), `UPDATE record SET bytes = CAST(bytes || ' ' AS BLOB) WHERE offset = 3`),
      async ({ varve }) => {
        const ran = await varve('audit', 'proof', '--repo', 'app', '--ref', 'tags/v3', '--record', `${await logId(varve)}.0.3`, '-o', '-'); // prettier-ignore
        expect(ran).toMatchObject({ code: 7, stderr: expect.stringContaining('the event log was changed') });
      },
    );
  });

  it('that were changed everywhere but in the checkpoint are not signed again', async () => {
    await onCopy(
      (data) => {
        sql(log(data), swapWords);
        forget(data);
      },
      async ({ varve }) => {
        const ran = await varve('audit', 'checkpoint');
        expect(ran).toMatchObject({ code: 7, stderr: expect.stringContaining('CHECKPOINT_FORKED') });
        // It says so, and goes on with its work.
        await ok(varve('branch', 'fix', '--repo', 'app'));
      },
    );
  });

  it('that were changed and signed again contradict what a machine has seen', async () => {
    await onCopy(
      (data) => {
        sql(log(data), swapWords);
        forget(data);
        sql(join(data, 'audit.db'), 'DELETE FROM checkpoint');
      },
      async ({ server, varve }) => {
        const seen = at(server, join(work.path, 'state-of-the-maker'));
        expect(await seen('audit', 'checkpoint')).toMatchObject({ code: 7, stderr: expect.stringContaining('CHECKPOINT_FORKED') }); // prettier-ignore
        const fork = await proof(varve, 'fork');
        await ok(varve('audit', 'verify', fork, '--key', kept.key));
        expect((await seen('audit', 'verify', fork, '--key', kept.key)).code).toBe(7);
        const held = await varve('audit', 'verify', fork, '--key', kept.key, '--checkpoint', kept.checkpoint);
        expect(held).toMatchObject({ code: 7, stderr: expect.stringContaining('Keep both') });
      },
    );
  });

  it('of a log that was cut off stop the audit', async () => {
    await onCopy(
      (data) => {
        sql(log(data), 'DELETE FROM record WHERE offset = 5');
        forget(data);
      },
      async ({ varve }) => {
        const ran = await varve('audit', 'checkpoint');
        expect(ran).toMatchObject({ code: 7, stderr: expect.stringContaining('LOG_TRUNCATED') });
      },
    );
  });
});

onFiles.describe('the key', () => {
  it('is made for its owner alone, and another one does not sign on', async () => {
    expect(statSync(join(kept.data, 'audit.key')).mode & 0o777).toBe(0o600);
    const data = join(work.path, 'other-key');
    cpSync(kept.data, data, { recursive: true });
    rmSync(join(data, 'audit.key'));

    const { code, output } = await startAndFail({ data });
    expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining('restore the key file') });
  });
});

describe('a log that is moved to another server', () => {
  it('answers as before, and its old proofs still hold', async () => {
    const file = join(work.path, 'log.jsonl');
    await onSound(async ({ varve }) => {
      writeFileSync(file, (await ok(varve('eventlog', 'export'))).stdout);
      expect(await varve('eventlog', 'import', file)).toMatchObject({ code: 2, stderr: expect.stringContaining('new data folder') }); // prettier-ignore
    });
    const server = await startServer({ data: join(work.path, 'moved-to'), isAudited: true });
    const varve = at(server, join(work.path, 'state-moved'));
    try {
      expect((await ok(varve('eventlog', 'import', file))).stdout).toBe('copied 6 records\n');
      const reasons = (await ok(varve('--json', 'audit', 'log', '--ref', 'tags/v3'))).stdout.split('\n').filter(Boolean).map((line) => (JSON.parse(line) as AuditLine).reason); // prettier-ignore
      expect(reasons).toEqual(['release', 'oops', 'back']);
      const key = (await ok(varve('audit', 'key'))).stdout.trim();
      const young = await ok(varve('--json', 'audit', 'verify', await proof(varve, 'moved-on'), '--key', key));
      const old = await ok(varve('--json', 'audit', 'verify', kept.proofs[2] as string, '--key', kept.key));
      expect((JSON.parse(young.stdout) as Told).ref.value).toEqual((JSON.parse(old.stdout) as Told).ref.value);
      expect((await varve('fsck', '--quick')).code).toBe(0);
    } finally {
      await server.stop();
    }
  });
});

describe('questions about the past', () => {
  it('filter who, what and what became of it, and export it as lines', async () => {
    await onSound(async ({ varve }) => {
      const lines = async (...filter: string[]): Promise<readonly AuditLine[]> =>
          (await ok(varve('--json', 'audit', 'log', ...filter))).stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line) as AuditLine); // prettier-ignore
      const moves = await lines('--repo', 'app', '--ref', 'tags/v3');
      expect(moves.map(({ reason }) => reason)).toEqual(['release', 'oops', 'back']);
      expect(await lines('--outcome', 'rejected')).toEqual([]);
      expect(await lines('--actor', moves[0]?.actor?.name ?? '')).toHaveLength(5);
      expect(await lines('--actor', 'nobody')).toEqual([]);
      const [, moved] = moves;
      expect(await lines('--commit', moved?.moves[0]?.to ?? '')).toHaveLength(3);
      expect(await lines('--since', moved?.time ?? '', '-n', '1')).toMatchObject([{ reason: 'oops' }]);
      expect(await lines('--until', moves[0]?.time ?? '')).toHaveLength(4);
      expect(await lines('--at', moves[0]?.time ?? '')).toHaveLength(4);
      expect(await lines('--since', moved?.position ?? '', '--until', moved?.position ?? '')).toEqual([moved]);
      expect(await lines('--repo', 'app', '--ref', 'v3')).toEqual(moves);
      const whole = await lines('--commit', moves[0]?.moves[0]?.to ?? '');
      expect(await lines('--repo', 'app', '--commit', 'v3')).toEqual(whole);
      const refused = async (...filter: string[]) => (await varve('audit', 'log', ...filter)).stderr;
      expect(await refused('--ref', 'v3')).toMatch(/say heads\/v3 or tags\/v3, or name the repository.*NAME_INVALID/);
      expect(await refused('--commit', '75879cc3')).toMatch(/name the repository.*REQUEST_INVALID/);
      expect(await refused('--outcome', 'refused')).toMatch(/is no outcome.*REQUEST_INVALID/);
      expect(await refused('--since', 'lother.0.1')).toMatch(/is of log lother.*POSITION_UNKNOWN/);
    });
  });

  it('about a time that is not there, or a position of elsewhere, have a code and a way on', async () => {
    await onSound(async ({ varve }) => {
      const ask = async (when: string) => (await varve('audit', 'proof', '--repo', 'app', '--ref', 'tags/v3', '--at', when, '-o', '-')).stderr; // prettier-ignore
      expect(await ask('2001-01-01')).toMatch(/before the first record.*TIME_UNKNOWN/s);
      expect(await ask('2999-01-01')).toMatch(/in the future.*TIME_UNKNOWN/s);
      expect(await ask('lother.0.1')).toMatch(/is of log lother.*POSITION_UNKNOWN/s);
      expect(await ask(`${await logId(varve)}.0.99`)).toMatch(/the last one is 5.*POSITION_UNKNOWN/s);
      expect(await ask('whenever')).toMatch(/is not a time.*NAME_INVALID/s);
    });
  });

  it('and a proof made here before this machine saw more is still linked to what it saw', async () => {
    await onSound(async ({ varve }) => {
      const early = await proof(varve, 'early');
      await ok(varve('audit', 'verify', early, '--key', kept.key));
      await ok(varve('branch', 'more', '--repo', 'app'));
      await ok(varve('audit', 'checkpoint', '--key', kept.key));
      await ok(varve('audit', 'verify', early, '--key', kept.key));
      await ok(varve('audit', 'verify', await proof(varve, 'late', '--checkpoint', kept.checkpoint), '--key', kept.key, '--checkpoint', kept.checkpoint)); // prettier-ignore
      const old = await varve('audit', 'verify', kept.proofs[0] as string, '--key', kept.key);
      expect(old).toMatchObject({ code: 1, stderr: expect.stringContaining('CHECKPOINT_UNLINKED') });
    });
  });
});

interface AuditLine {
  readonly position: string;
  readonly time: string;
  readonly reason: string | null;
  readonly actor: { readonly name: string } | null;
  readonly moves: readonly { readonly to: string | null }[];
}

async function logId(varve: Varve): Promise<string> {
  const { stdout } = await ok(varve('--json', 'status'));
  return (JSON.parse(stdout) as { log: string }).log;
}
