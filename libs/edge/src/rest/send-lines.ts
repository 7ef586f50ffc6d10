import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Engine } from '../engine.js';
import { addPosition } from './position-header.js';
import { sendBytes, sendHeaders } from './send-bytes.js';

const chunkCharacters = 64 << 10;
const mediaType = 'application/x-ndjson';

/**
 * Answers with lines of JSON while they are made. What fails before the first chunk is answered as a problem; after it
 * the connection is cut. The last line has the type `summary`, so that a reader knows it has everything.
 */
export async function sendLines(
  engine: Engine,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  lines: AsyncIterable<unknown>,
): Promise<void> {
  await addPosition(engine, request, reply);
  const headers = { 'content-type': mediaType, 'cache-control': 'no-cache' };
  if (request.method === 'HEAD') sendHeaders(reply, 200, headers);
  else await sendBytes(reply, { status: 200, headers }, chunks(lines));
}

/** For the OpenAPI document. */
export function lineAnswers(description: string) {
  return { 200: { description: `${description} The last line has the type summary.`, bytes: mediaType } };
}

async function* chunks(lines: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  let text = '';
  for await (const line of lines) {
    text += `${JSON.stringify(line)}\n`;
    if (text.length < chunkCharacters) continue;
    yield new TextEncoder().encode(text);
    text = '';
  }
  yield new TextEncoder().encode(text);
}
