import { Global, Module, type Provider } from '@nestjs/common';
import { ENGINE } from '#edge/engine';
import { GRPC_OPTIONS, type GrpcOptions } from '#edge/grpc/grpc-door';
import { HEALTH } from '#edge/health';
import { CONFIG, type Config, loadConfig } from './config.js';
import { openEngine, type RunningEngine } from './open-engine.js';
import { RUNNING } from './running-process.js';
import { createLogger, logCall } from './telemetry.js';

function grpcOptions({ grpcListen: listen, logLevel, shutdownMs }: Config): GrpcOptions {
  const logger = createLogger(logLevel);
  return { listen, shutdownMs, onEnd: (call) => logCall(logger, call) };
}

/** Reads the configuration and opens everything it names. What goes wrong fails the start. */
function engineOf(role: 'standalone' | 'gateway'): Provider[] {
  return [
    { provide: CONFIG, useFactory: () => loadConfig(process.env, role) },
    { provide: RUNNING, inject: [CONFIG], useFactory: (config: Config) => openEngine(config, role) },
    { provide: ENGINE, inject: [RUNNING], useFactory: ({ engine }: RunningEngine) => engine },
    { provide: GRPC_OPTIONS, inject: [CONFIG], useFactory: grpcOptions },
    { provide: HEALTH, inject: [RUNNING], useFactory: ({ health }: RunningEngine) => health },
  ];
}

const exported = [CONFIG, RUNNING, ENGINE, HEALTH, GRPC_OPTIONS];

/** Everything: the stores, and the projector that keeps the graph. */
@Global()
@Module({ providers: engineOf('standalone'), exports: exported })
export class StandaloneEngineModule {}

/** The stores, and no projector: other processes keep the graph. */
@Global()
@Module({ providers: engineOf('gateway'), exports: exported })
export class GatewayEngineModule {}
