import { isVarveError } from '#core/error';
import type { Session } from './session.js';

/** What container tools call this machine's processor, where that is not Node's word. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** `linux/amd64`: containers are of Linux, whatever this machine runs. */
export function ownPlatform(): string {
  return `linux/${architectures[process.arch] ?? process.arch}`;
}

/**
 * Asks, and where the answer is that the image is one for several platforms, asks again for this machine's, if it is
 * among them, and says so. @throws as `ask`
 */
export async function withOwnPlatform<T>(
  { output }: Session,
  wished: string | undefined,
  ask: (platform: string | undefined) => Promise<T>,
): Promise<T> {
  try {
    return await ask(wished);
  } catch (error) {
    const platforms: unknown = isVarveError(error, 'REVISION_AMBIGUOUS') ? error.detail['platforms'] : undefined;
    if (wished !== undefined || !Array.isArray(platforms)) throw error;
    const own = platforms.filter((one) => one === ownPlatform() || String(one).startsWith(`${ownPlatform()}/`));
    if (own.length !== 1) throw error;
    output.warn(`the image is for ${platforms.join(', ')}: ${own[0]} was taken, --platform takes another`);
    return ask(String(own[0]));
  }
}
