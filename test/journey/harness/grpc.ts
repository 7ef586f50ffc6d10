import { once } from 'node:events';
import {
  type CallOptions,
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { ErrorInfo } from '#proto/gen/google/rpc/error_details';
import { Status } from '#proto/gen/google/rpc/status';

/** Where the gRPC door of a server is, as it says itself. */
export function grpcAddress(server: { output(): string }): string {
  const [, address] = /gRPC listens on (\S+)/.exec(server.output()) ?? [];
  if (address === undefined) throw new Error(`the server says of no gRPC door:\n${server.output()}`);
  return address;
}

/** How a call ended: its messages and head, or the code of ours and the status of gRPC. */
export interface Called<Answer> {
  readonly messages: readonly Answer[];
  readonly position: string | undefined;
  readonly code: string | null;
  readonly status: keyof typeof status;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface CallHow {
  readonly metadata?: Readonly<Record<string, string | Buffer>>;
  readonly deadline?: Date;
}

/** Calls any method by its definition. */
export class GrpcCaller {
  readonly client: Client;

  constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
  }

  close(): void {
    this.client.close();
  }

  /** Sends the messages, half-closes, and reads to the end. */
  async call<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    requests: readonly Request[],
    { metadata = {}, deadline }: CallHow = {},
  ): Promise<Called<Answer>> {
    const { path, requestSerialize, responseDeserialize, requestStream, responseStream } = method;
    const head = new Metadata();
    for (const [name, value] of Object.entries(metadata)) head.set(name, value);
    const options: CallOptions = deadline ? { deadline } : {};
    const messages: Answer[] = [];
    const raw = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, head, options);
    let position: string | undefined;
    const ended = Promise.withResolvers<Pick<ServiceError, 'code' | 'details' | 'metadata'>>();
    raw.on('metadata', (told: Metadata) => (position = told.get('varve-position')[0] as string | undefined));
    raw.on('status', (told) => ended.resolve(told));
    raw.on('error', (error: ServiceError) => ended.resolve(error));
    for (const request of requests) if (!raw.write(request)) await Promise.race([once(raw, 'drain'), ended.promise]);
    raw.end();
    try {
      for await (const message of raw as AsyncIterable<Answer>) messages.push(message);
    } catch {
      // The status says why.
    }
    const end = await ended.promise;
    if (!requestStream && !responseStream && messages.length > 1) throw new Error(`${path} answered twice`);
    return { messages, position: position ?? positionOf(end.metadata), ...failureOf(end) };
  }
}

function positionOf(trailers: Metadata): string | undefined {
  return trailers.get('varve-position')[0] as string | undefined;
}

/** The code, told twice: in the details for programs, in a plain trailer for everybody. */
function failureOf({ code, details, metadata }: { code: number; details: string; metadata: Metadata }) {
  const bytes = metadata.get('grpc-status-details-bin')[0] as Buffer | undefined;
  const told = { status: status[code] as keyof typeof status, message: details };
  if (!bytes) return { ...told, code: null, fields: {} };
  const info = Status.decode(bytes).details.find(({ typeUrl }) => typeUrl.endsWith('google.rpc.ErrorInfo'));
  const { reason, metadata: fields } = ErrorInfo.decode(info?.value ?? Buffer.alloc(0));
  if (metadata.get('varve-error')[0] !== reason) throw new Error(`two codes: ${reason}`);
  return { ...told, code: reason, fields };
}
