import type { VarveClient } from '#client/client';
import { isVarveError } from '#core/error';

/**
 * What a ref is now, as `--expect` takes it: `<commit>.<version>`, or `absent`. A forced move sends it, so that it
 * overwrites what was there when the command began and nothing that came since.
 */
export async function stateOf(client: VarveClient, repo: string, ref: string): Promise<string> {
  try {
    const { commit, version } = await client.ref(repo, ref);
    return `${commit}.${version}`;
  } catch (error) {
    if (isVarveError(error, 'REF_UNKNOWN')) return 'absent';
    throw error;
  }
}
