import { setTimeout as sleep } from 'node:timers/promises';
import type { CommitId } from '#core/commit';
import { unreachable } from '#core/error';
import type { RefValue } from '#core/ref';
import { type Answered, ask } from '../cluster/gateway-client.js';
import { layer } from '../fixture/layer-builder.js';
import type { RefCall, RefEnd, RefInvoke } from './history.js';

/** A gateway answers within its own five seconds, or it is as good as gone. */
const answerMaxMs = 10_000;

/** What a graph that went back says to a write; its copies that were sent before may stand all the same. */
const unknown = new Set(['REPOSITORY_UNKNOWN', 'COMMIT_UNKNOWN', 'REF_UNKNOWN']);

/** What a client was told, with what it needs to go on. */
export interface Told {
  readonly end: RefEnd;
  /** Of the answer, when it had one. */
  readonly position: string | null;
  /** Transactions that somebody was told to be unknown. */
  readonly txids: readonly string[];
}

/**
 * Sends an operation until it is answered, through one gateway after the other, each copy under the same idempotency
 * key. `until` ends it with `info`: then nobody knows.
 * @throws Error at an answer that no fault explains
 */
export async function perform(
  operation: RefInvoke,
  gateways: () => readonly string[],
  {
    minPosition,
    until,
    first,
    goesBack = false,
  }: { minPosition: string | null; until: AbortSignal; first: number; goesBack?: boolean },
): Promise<Told> {
  const txids: string[] = [];
  let last = 'no answer';
  for (let tries = first; !until.aborted; tries += 1) {
    const urls = gateways();
    const url = urls[tries % urls.length];
    const answer = url === undefined ? undefined : await send(operation, url, minPosition);
    const isOld = goesBack && answer !== undefined && unknown.has(answer.code ?? '') && operation.call.type !== 'read';
    const end = answer && !isOld ? endOf(operation.call, answer) : undefined;
    if (answer && end) return { end, position: answer.position, txids };
    if (answer) last = answer.code ?? last;
    const { txid } = (answer?.json['fields'] ?? {}) as { txid?: string };
    if (txid !== undefined) txids.push(txid);
    await sleep(50 + 50 * Math.min(tries - first, 10));
  }
  return { end: { type: 'info', code: last }, position: null, txids };
}

function send(
  { name, repo, ref, call, client }: RefInvoke,
  url: string,
  minPosition: string | null,
): Promise<Answered> {
  const signal = AbortSignal.timeout(answerMaxMs);
  const base = `/repos/${encodeURIComponent(repo)}`;
  const place = `${base}/refs/${encodeURIComponent(ref)}`;
  const headers = { 'idempotency-key': name, 'varve-actor': client };
  const json = { ...headers, 'content-type': 'application/json' };
  switch (call.type) {
    case 'read':
      return ask(url, place, { signal, headers: minPosition === null ? {} : { 'varve-min-position': minPosition } });
    case 'commit': {
      const branch = encodeURIComponent(ref.replace('refs/heads/', ''));
      const path = `${base}/branches/${branch}/commits?message=${name}&reason=${name}`;
      const body = new Uint8Array(layer({ [name]: `what ${name} holds` }).tar);
      const given = { ...headers, 'content-type': 'application/x-tar', 'if-match': tagOf(call.expect) };
      return ask(url, path, { signal, method: 'POST', headers: given, body });
    }
    case 'create': {
      const body = JSON.stringify({ to: call.to, mode: 'force', reason: name });
      return ask(url, place, { signal, method: 'PUT', headers: { ...json, 'if-none-match': '*' }, body });
    }
    case 'swap': {
      const expected = { 'if-match': tagOf(call.expect) };
      if (call.to === null)
        return ask(url, `${place}?reason=${name}`, { signal, method: 'DELETE', headers: { ...headers, ...expected } });
      const body = JSON.stringify({ to: call.to, mode: 'force', reason: name });
      return ask(url, place, { signal, method: 'PUT', headers: { ...json, ...expected }, body });
    }
    case 'set':
      throw new Error('no client moves a ref whatever it is: force wants an expectation');
    default:
      return unreachable(call);
  }
}

function tagOf({ commit, version }: RefValue): string {
  return `"${commit}.${version}"`;
}

/** Undefined: it is sent again. @throws Error when no fault explains it */
function endOf(call: RefCall, { status, code, json }: Answered): RefEnd | undefined {
  if (status === 200 || status === 201) {
    const { commit, version } = json as { commit: CommitId | null; version: number };
    return { type: 'ok', value: { commit, version } };
  }
  if (call.type === 'read' && code === 'REF_UNKNOWN') return { type: 'absent' };
  if (code === 'REF_STALE') return { type: 'fail', code };
  if (status === 0 || status === 429 || status === 503) return undefined;
  throw new Error(`${JSON.stringify(call)} was answered ${status} ${JSON.stringify(json)}`);
}
