import { Server, ServerCredentials } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { fileDescriptors } from '#proto/file-descriptors';
import { ENGINE, type Engine } from '../engine.js';
import { HEALTH, type Health } from '../health.js';
import { Watchers } from '../watchers.js';
import { adminService } from './admin-service.js';
import { archiveService } from './archive-service.js';
import { auditService } from './audit-service.js';
import { blobService } from './blob-service.js';
import { Calls, type EndedCall } from './calls.js';
import { checkoutService } from './checkout-service.js';
import { commitService } from './commit-service.js';
import { diffService } from './diff-service.js';
import { eventlogService } from './eventlog-service.js';
import { healthService } from './health-service.js';
import { jobService } from './job-service.js';
import { layerService } from './layer-service.js';
import { lenientService } from './message-codec.js';
import { refService } from './ref-service.js';
import { repoService } from './repo-service.js';
import type { Served } from './served.js';
import { tarballService } from './tarball-service.js';
import { treeService } from './tree-service.js';
import { watchService } from './watch-service.js';

/** Where the door is, and whom it tells of its calls. Provided by wiring. */
export interface GrpcOptions {
  /** Null: there is no such door. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** How long calls under way may take to end when the process is told to. */
  readonly shutdownMs: number;
  readonly onEnd: (call: EndedCall) => void;
}

/** The injection token of the options. */
export const GRPC_OPTIONS = Symbol('gRPC options');

/** A peer that says nothing for so long is asked, and given up when it does not answer. */
const keepaliveMs = 60_000;
const keepaliveAnswerMs = 20_000;

/**
 * The gRPC door: the same commands as the REST door, on a port of its own, as HTTP/2 without TLS. Opens when the
 * application does; closes by refusing new calls and letting those under way end.
 */
@Injectable()
export class GrpcDoor implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #options: GrpcOptions;
  readonly #server: Server;
  #port: number | undefined;
  #closed: Promise<void> = Promise.resolve();

  constructor(
    @Inject(ENGINE) engine: Engine,
    @Inject(HEALTH) health: Health,
    @Inject(Watchers) watchers: Watchers,
    @Inject(GRPC_OPTIONS) options: GrpcOptions,
  ) {
    this.#options = options;
    this.#server = new Server({
      'grpc.max_receive_message_length': limit.grpcMessageBytesMax,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': keepaliveAnswerMs,
    });
    const calls = new Calls(engine, (call) => options.onEnd(call));
    const served = servicesOf(engine, calls, watchers);
    const names = served.map(({ definition }) => nameOf(definition));
    served.push(healthService(health, calls, { names, closing: watchers.closing }));
    for (const { definition, server } of served) this.#server.addService(lenientService(definition), server);
    reflection().addToServer(this.#server);
  }

  /** The port it listens on, undefined when it is closed or off. */
  get port(): number | undefined {
    return this.#port;
  }

  /** @throws PORT_IN_USE, CONFIG_INVALID */
  async onApplicationBootstrap(): Promise<void> {
    const { listen } = this.#options;
    if (listen) this.#port = await bind(this.#server, listen);
  }

  beforeApplicationShutdown(): void {
    if (this.#port === undefined) return;
    this.#port = undefined;
    const closed = Promise.withResolvers<void>();
    this.#closed = closed.promise;
    const cut = setTimeout(() => this.#server.forceShutdown(), this.#options.shutdownMs);
    this.#server.tryShutdown(() => {
      clearTimeout(cut);
      closed.resolve();
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#closed;
  }
}

function servicesOf(engine: Engine, calls: Calls, watchers: Watchers): Served[] {
  return [
    repoService(engine, calls),
    refService(engine, calls),
    commitService(engine, calls),
    checkoutService(calls),
    treeService(calls),
    diffService(calls),
    layerService(calls),
    blobService(calls),
    archiveService(engine, calls),
    jobService(engine, calls),
    tarballService(engine, calls),
    watchService(watchers, calls),
    auditService(engine, calls),
    eventlogService(engine, calls),
    adminService(engine, calls),
  ];
}

/** `/varve.v1.RefService/GetRef` → `varve.v1.RefService` */
function nameOf(definition: Served['definition']): string {
  return Object.values(definition)[0]?.path.split('/')[1] ?? '';
}

/** What `grpcurl` and `buf curl` ask. */
function reflection(): ReflectionService {
  const fileDescriptorProtos = fileDescriptors();
  return new ReflectionService({
    all: { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos },
  });
}

async function bind(server: Server, { host, port }: NonNullable<GrpcOptions['listen']>): Promise<number> {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(place, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(refusal(place, error));
      else resolve(bound);
    });
  });
}

/** grpc-js has no code for it, only words. */
function refusal(place: string, cause: Error): VarveError {
  const detail = { listen: place };
  if (/EADDRINUSE/.test(`${cause.message} ${JSON.stringify(cause)}`)) {
    const message = `another process listens on ${place}; set VARVE_GRPC_LISTEN to another address, or to off`;
    return new VarveError('PORT_IN_USE', message, detail, { cause });
  }
  const message = `VARVE_GRPC_LISTEN="${place}" cannot be listened on: ${cause.message}`;
  return new VarveError('CONFIG_INVALID', message, detail, { cause });
}
