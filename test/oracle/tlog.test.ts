import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMemoryAuditStore } from '#adapters/memory/memory-audit-store';
import { AuditTree, type JudgedRecord } from '#audit/audit-tree';
import { checkpointText, logName, originOf } from '#audit/checkpoint';
import { recordHash } from '#audit/entry';
import { consistencyProof, type Hash, inclusionProof, isConsistent, isIncluded, leafHash, rootOf } from '#audit/merkle';
import { newSignerText, parseSigner, signNote } from '#audit/note';
import { hashReader, readTile } from '#audit/read-hashes';
import { encodeHashes } from '#audit/tile';
import { Random } from './random.js';

const seed = Number(process.env['VARVE_TEST_SEED'] ?? Date.now() % 1_000_000_000);
/** More than one full tile of the second level would take 65,536 records; two of the lowest and a bit are enough. */
const size = 700;

interface Answer {
  readonly Roots: readonly string[];
  readonly Included: readonly (readonly string[])[];
  readonly Consist: readonly (readonly string[])[];
  readonly Refused: readonly string[] | null;
  readonly Signed: string;
  readonly Tiles: readonly string[];
}

describe(`a tree of ${size} records, seed ${seed}`, () => {
  it('is to golang.org/x/mod/sumdb what it is to Varve: roots, proofs of both kinds, tiles, notes and keys', async () => {
    const random = new Random(seed);
    const store = openMemoryAuditStore();
    const tree = await AuditTree.open(store, 0);
    for (let offset = 0; offset < size;) {
      const batch = Array.from({ length: Math.min(size - offset, 1 + random.below(40)) }, (_, i) => noise(offset + i));
      await tree.append(batch);
      offset += batch.length;
    }
    const read = hashReader(store, 0);
    const entries = (await store.entries(0, 0, size)).map(({ entry }) => entry);
    const trees = Array.from({ length: 400 }, () => pair(random)).map(([a, b]) => [a, b] as const);
    const places = trees.map(([a, b]) => [random.below(a), b] as const);
    const included = await Promise.all(places.map(([leaf, of]) => inclusionProof(leaf, of, read)));
    const consistent = await Promise.all(trees.map(([old, young]) => consistencyProof(old, young, read)));
    const tiles = [
      { level: 0, index: 0, width: 256 },
      { level: 0, index: 2, width: size - 512 },
      { level: 1, index: 0, width: 2 },
    ];
    const signerText = newSignerText(logName('loracle')).trim();
    const signer = parseSigner(signerText);
    const roots = await Promise.all(Array.from({ length: size + 1 }, (_, count) => rootOf(count, read)));
    const text = checkpointText({ origin: originOf('loracle', 0), size, root: roots[size] as Hash });

    const answer = ask({
      Entries: entries.map(base64),
      Places: places,
      Trees: trees,
      Included: included.map(list),
      Consist: consistent.map(list),
      Note: signNote(text, signer),
      Verifier: signer.verifier.text,
      Signer: signerText,
      Text: text,
      Tiles: tiles.map(({ level, index, width }) => ({ Level: level, Index: index, Width: width })),
    });

    expect(answer.Refused ?? []).toEqual([]);
    expect(answer.Roots).toEqual(list(roots));
    expect(answer.Included).toEqual(included.map(list));
    expect(answer.Consist).toEqual(consistent.map(list));
    expect(answer.Signed).toBe(signNote(text, signer));
    expect(answer.Tiles).toEqual(
      await Promise.all(
        tiles.map(async ({ level, index }) => base64(encodeHashes(await readTile(store, 0, { level, index })))),
      ),
    );
    // And its proofs to our verifier.
    places.forEach(([index, of], i) => {
      const leaf = leafHash(entries[index] as Uint8Array);
      expect(isIncluded({ leaf, index, size: of, root: roots[of] as Hash }, hashes(answer.Included[i]))).toBe(true);
    });
    trees.forEach(([old, young], i) => {
      const heads = [old, young].map((count) => ({ size: count, root: roots[count] as Hash }));
      expect(isConsistent(heads[0]!, heads[1]!, hashes(answer.Consist[i]))).toBe(true);
    });
  });
});

function noise(offset: number): JudgedRecord {
  const record = recordHash(Buffer.from(`record ${offset}`));
  return {
    offset,
    timeAfter: () => offset,
    type: 'unreadable',
    record,
    decision: 'none',
    repo: null,
    moves: [],
    about: '{}',
    words: [],
  };
}

/** Two sizes, the smaller one first, neither empty. */
function pair(random: Random): readonly [number, number] {
  const [a, b] = [1 + random.below(size), 1 + random.below(size)];
  return [Math.min(a, b), Math.max(a, b)];
}

function ask(question: unknown): Answer {
  const folder = mkdtempSync(join(tmpdir(), 'varve-tlog-'));
  try {
    const program = join(folder, 'tlog');
    const built = spawnSync('go', ['build', '-buildvcs=false', '-o', program, '.'], {
      cwd: 'test/oracle/tlog',
      encoding: 'utf8',
    });
    if (built.status !== 0) throw new Error(`the oracle is not built: ${built.error?.message ?? built.stderr}`);
    const told = spawnSync(program, { input: JSON.stringify(question), encoding: 'utf8', maxBuffer: 64 << 20 });
    if (told.status !== 0) throw new Error(`the oracle fails: ${told.stderr}`);
    return JSON.parse(told.stdout) as Answer;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function list(values: readonly Hash[]): string[] {
  return values.map((value) => Buffer.from(value, 'latin1').toString('base64'));
}

function hashes(values: readonly string[] | undefined): Hash[] {
  return (values ?? []).map((value) => Buffer.from(value, 'base64').toString('latin1') as Hash);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
