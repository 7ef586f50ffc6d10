import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { ErrorDetail, VarveError } from '#core/error';
import { Status } from '#proto/gen/google/rpc/status';
import { ErrorInfo, RetryInfo } from '#proto/gen/google/rpc/error_details';
import { renderingOf } from '../error-rendering.js';

const typeUrl = 'type.googleapis.com/';
/** Trailers share one header block, of which some clients take 8 KiB. */
const messageCharactersMax = 1_000;
const fieldBytesMax = 2 << 10;

/**
 * A failure as gRPC tells it: the code of the one table, the message, and `google.rpc.Status` with the reason in
 * `grpc-status-details-bin`. `varve-error` repeats the reason for clients that read no protobuf in trailers.
 */
export function statusOf(error: VarveError, trailers = new Metadata()): StatusObject {
  const { grpc, retryAfterSeconds } = renderingOf(error.code);
  const details = error.message.slice(0, messageCharactersMax).toWellFormed();
  const info = ErrorInfo.fromPartial({
    reason: error.code,
    domain: 'varve.dev',
    metadata: fieldsOf(error.detail),
  });
  const any = [{ typeUrl: `${typeUrl}google.rpc.ErrorInfo`, value: Buffer.from(ErrorInfo.encode(info).finish()) }];
  if (retryAfterSeconds !== null) {
    const retry = RetryInfo.fromPartial({ retryDelay: { seconds: retryAfterSeconds, nanos: 0 } });
    any.push({ typeUrl: `${typeUrl}google.rpc.RetryInfo`, value: Buffer.from(RetryInfo.encode(retry).finish()) });
  }
  const bytes = Status.encode({ code: status[grpc], message: details, details: any }).finish();
  trailers.set('grpc-status-details-bin', Buffer.from(bytes));
  trailers.set('varve-error', error.code);
  return { code: status[grpc], details, metadata: trailers };
}

/** What does not fit is left out, whole fields at a time: half of a value would be another value. */
function fieldsOf(detail: ErrorDetail): Record<string, string> {
  let left = fieldBytesMax;
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(detail)) {
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null');
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(text);
    if (bytes > left) continue;
    left -= bytes;
    fields[name] = text.toWellFormed();
  }
  return fields;
}
