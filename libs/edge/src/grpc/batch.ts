/** A message of a list holds items up to about this many bytes: clients take 4 MiB unless they are told otherwise. */
const batchBytes = 512 << 10;
/** What is made while it is sent goes on its way sooner. */
const streamedBatchBytes = 64 << 10;

/** Items in slices of about half a MiB, at least one slice; an item that is larger stands alone. */
export function batches<Item>(items: readonly Item[], bytesOf: (item: Item) => number): Item[][] {
  const all: Item[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    const current = all.at(-1) as Item[];
    if (bytes > 0 && bytes + size > batchBytes) {
      all.push([item]);
      bytes = size;
      continue;
    }
    current.push(item);
    bytes += size;
  }
  return all;
}

/** The messages of one page; what only the last one says is put into it by `last`. */
export function* pageOf<Item, Message>(
  items: readonly Item[],
  bytesOf: (item: Item) => number,
  message: (items: Item[], isLast: boolean) => Message,
): Generator<Message> {
  const all = batches(items, bytesOf);
  for (const [i, batch] of all.entries()) yield message(batch, i === all.length - 1);
}

/** Items as they are found, gathered to slices; none is empty. */
export async function* gathered<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  bytesOf: (item: Item) => number,
): AsyncGenerator<Item[]> {
  let batch: Item[] = [];
  let bytes = 0;
  for await (const item of items) {
    batch.push(item);
    bytes += bytesOf(item);
    if (bytes < streamedBatchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
