import { digestFromHex, type DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { LayerRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { knownRepository } from './known-repository.js';

const candidatesMax = 10;
const aliasRowsMax = 1_000;

/**
 * The layer of a repository whose diffID starts with the digits, with or without `sha256:`; at least four.
 * @throws REPOSITORY_UNKNOWN, NAME_INVALID, BLOB_UNKNOWN, REVISION_AMBIGUOUS with the candidates
 */
export async function knownLayer(graph: GraphReader, repo: RepositoryName, text: string): Promise<LayerRow> {
  await knownRepository(graph, repo);
  const hex = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1];
  if (hex === undefined) {
    const message = `"${text}" is not a diffID: expected sha256: and 64 lower-case hex digits, or the first four or more`;
    throw new VarveError('NAME_INVALID', message, { text });
  }
  const rows = await graph.aliasesByPrefix(repo, hex, ['diff'], aliasRowsMax);
  const found = [...new Set(rows.map((row) => row.hex))];
  if (found.length > 1) {
    const candidates = found
      .slice(0, candidatesMax)
      .map((one) => ({ kind: 'diff', hex: one, commit: '', subject: '' }));
    const message = `"${text}" is short for more than one layer: ${found.slice(0, candidatesMax).join(', ')}`;
    throw new VarveError('REVISION_AMBIGUOUS', message, { text, candidates });
  }
  const diffId = digestFromHex(found[0] ?? hex.padEnd(64, '0')) as DiffId;
  const row = found.length === 1 ? await graph.layer(repo, diffId) : undefined;
  if (row) return row;
  throw new VarveError('BLOB_UNKNOWN', `no commit of ${repo} has a layer ${text}`, { repository: repo, layer: text });
}
