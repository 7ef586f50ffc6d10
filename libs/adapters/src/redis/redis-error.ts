import { ReplyError } from 'ioredis';
import { type ErrorDetail, isVarveError, VarveError } from '#core/error';

/** What a server answers when it works and cannot now. */
const passing = /^(LOADING|MASTERDOWN|READONLY|BUSY|TRYAGAIN|MISCONF|NOREPLICAS|CLUSTERDOWN|UNKILLABLE)\b/;
/** What a server answers to those it does not let in. */
const refused =
  /^(NOAUTH|WRONGPASS|NOPERM)\b|invalid password|invalid username-password|no password is set|AUTH failed/;

export function isRefusal(error: unknown): boolean {
  return error instanceof Error && refused.test(error.message);
}

/**
 * An error of the client or the server as one of ours: `STORAGE_FULL` when there is no memory (then nothing was
 * written), `UNAVAILABLE` when the server cannot be reached or cannot answer now (then it may have done what was asked).
 */
export function redisError(error: unknown, where: string): VarveError {
  if (isVarveError(error)) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  const { message } = cause;
  if (/^OOM\b|OOM command not allowed/.test(message)) {
    const full = `Redis at ${where} is out of memory: raise its maxmemory, or give it a machine with more`;
    return new VarveError('STORAGE_FULL', full, {}, { cause });
  }
  if (message.startsWith('LOST ')) return lostKey(where, { key: message.slice('LOST '.length) });
  if (!(cause instanceof ReplyError) || passing.test(message)) {
    return new VarveError('UNAVAILABLE', `Redis at ${where} does not answer: ${message}`, {}, { cause });
  }
  if (isRefusal(cause)) {
    const denied = `Redis at ${where} refuses us: ${message}. Check the user name, the password and the rights of that user`;
    return new VarveError('UNAVAILABLE', denied, {}, { cause });
  }
  const odd = `Redis at ${where} holds something else than we wrote: ${message}. Is the prefix used by another program?`;
  return new VarveError('CORRUPT', odd, {}, { cause });
}

/** Something that the graph itself names is not there, or not as long as it must be. */
export function lostKey(where: string, detail: { readonly key: string } & ErrorDetail): VarveError {
  const message = `the graph in Redis at ${where} has lost ${detail.key}, or a part of it: make it again from the log with a rebuild`;
  return new VarveError('CORRUPT', message, detail);
}
