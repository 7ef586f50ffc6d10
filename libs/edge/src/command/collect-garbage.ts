import type { Engine } from '../engine.js';
import { instant } from '../rest/answer.js';

/** Removes what nothing names, or tells what would be removed. @throws as `Engine.collect` does */
export async function collectGarbage(engine: Engine, wish: { readonly dryRun: boolean; readonly adopt: boolean }) {
  const { epochs, copies, derived, ...report } = await engine.collect(wish);
  return {
    ...report,
    epochs: [...epochs],
    derived: [...derived],
    copies: copies.map(({ modifiedAt, ...copy }) => ({ ...copy, storedAt: instant(modifiedAt) })),
  };
}
