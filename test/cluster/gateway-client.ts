import { layer } from '../fixture/layer-builder.js';

/** One answer, whole. */
export interface Answered {
  readonly status: number;
  /** The code of a problem; null when it is none. */
  readonly code: string | null;
  readonly retryAfter: string | null;
  readonly position: string | null;
  readonly json: Record<string, unknown>;
}

/** Nobody listens, or the connection broke: with a process that is killed, as good an answer as another. */
const nobody: Answered = { status: 0, code: null, retryAfter: null, position: null, json: {} };

/** Asks one gateway once, without a retry of its own; more than 30 s, if no signal says otherwise, is as if nobody listened. */
export async function ask(url: string, path: string, init: RequestInit = {}): Promise<Answered> {
  try {
    const answer = await fetch(`${url}/api/v1${path}`, { signal: AbortSignal.timeout(30_000), ...init });
    const text = await answer.text();
    return {
      status: answer.status,
      code: answer.headers.get('varve-error'),
      retryAfter: answer.headers.get('retry-after'),
      position: answer.headers.get('varve-position'),
      json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  } catch {
    return nobody;
  }
}

/** Reads at a position, so that the answer shows at least what was true there. */
export function askAt(url: string, path: string, position: string): Promise<Answered> {
  return ask(url, path, { headers: { 'varve-min-position': position } });
}

export function createRepository(url: string, repo: string): Promise<Answered> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': `create-${repo}` };
  return ask(url, '/repos', { method: 'POST', headers, body: JSON.stringify({ repo }) });
}

/** Puts a layer with one small file of that name on `main`; sent again it is the same write. */
export function commitFile(url: string, repo: string, name: string): Promise<Answered> {
  const body = new Uint8Array(layer({ [name]: `what ${name} holds` }).tar);
  const headers = { 'content-type': 'application/x-tar', 'idempotency-key': `${repo}-${name}` };
  const path = `/repos/${encodeURIComponent(repo)}/branches/main/commits?message=${encodeURIComponent(name)}`;
  return ask(url, path, { method: 'POST', headers, body });
}

/** The messages of `main`, newest first, at a position. */
export async function messagesAt(url: string, repo: string, position: string): Promise<string[]> {
  const answer = await askAt(url, `/repos/${encodeURIComponent(repo)}/commits?rev=main&limit=1000`, position);
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.json)}`);
  return (answer.json['commits'] as { message: string }[]).map(({ message }) => message);
}

/** Until it holds; a watchdog, not a measurement. */
export async function until(what: string, holds: () => Promise<boolean>, maxMs = 60_000): Promise<void> {
  for (const deadline = Date.now() + maxMs; Date.now() < deadline;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not happen within ${maxMs / 1000} s: ${what}`);
}
