import { createHash } from 'node:crypto';
import type { BuiltEntry } from '../fixture/tar-bytes.js';
import type { Random } from '../oracle/random.js';
import { mutateJson } from './mutate-json.js';

const blobFolder = 'blobs/sha256/';

/**
 * An archive with one of its JSON documents damaged. Mostly the digests and sizes that name it are made right again,
 * so that what is wrong is found by its meaning and not by its digest.
 */
export function mutateDocument(random: Random, items: readonly BuiltEntry[]): BuiltEntry[] {
  const documents = items.filter(isDocument);
  const chosen = random.pick(documents);
  const body = mutateJson(random, Buffer.from(chosen.body as Buffer));
  return random.chance(0.85) ? replaced(items, chosen, body) : items.map((item) => (item === chosen ? { ...item, body } : item)); // prettier-ignore
}

function isDocument({ body }: BuiltEntry): boolean {
  const first = Buffer.from(body ?? '').toString('latin1', 0, 1);
  return first === '{' || first === '[';
}

/** Puts `body` in the place of an entry, under its new digest where it is named by it; then all that name it. */
function replaced(items: readonly BuiltEntry[], old: BuiltEntry, body: Buffer): BuiltEntry[] {
  const name = newName(old.name, body);
  const next = items.map((item) => (item === old ? { ...item, name, body } : item));
  const [oldKey, newKey] = [keyOf(old.name), keyOf(name)];
  if (oldKey === newKey) return next;
  const user = next.find((item) => item.name !== name && isDocument(item) && String(item.body).includes(oldKey));
  if (user === undefined) return next;
  const oldSize = Buffer.from(old.body ?? '').length;
  const fixed = String(user.body)
    .replaceAll(oldKey, newKey)
    .replaceAll(`${newKey}","size":${oldSize}`, `${newKey}","size":${body.length}`);
  return replaced(next, user, Buffer.from(fixed));
}

function newName(name: string, body: Buffer): string {
  const digest = createHash('sha256').update(body).digest('hex');
  if (name.startsWith(blobFolder)) return `${blobFolder}${digest}`;
  return /^[0-9a-f]{64}\.json$/.test(name) ? `${digest}.json` : name;
}

/** What others call it by: the digest in its name. */
function keyOf(name: string): string {
  return /[0-9a-f]{64}/.exec(name)?.[0] ?? name;
}
