import type { IncomingHttpHeaders } from 'node:http';
import type { Actor } from '#core/event';
import { headerText } from './header-text.js';

const actorBytesMax = 255;

/**
 * Who asks: the one place an actor comes from. Until there is access control a name is what the client says of itself
 * in `Varve-Actor`, so it is never verified.
 * @throws REQUEST_INVALID
 */
export function actorOf(headers: IncomingHttpHeaders): Actor {
  const name = headerText('Varve-Actor', headers['varve-actor'], actorBytesMax)?.trim();
  return { name: name || 'anonymous', verified: false };
}
