import { Global, Module, type Provider } from '@nestjs/common';
import { ENGINE } from '#edge/engine';
import { HEALTH } from '#edge/health';
import { CONFIG, type Config, loadConfig } from './config.js';
import { openEngine, type RunningEngine } from './open-engine.js';
import { RUNNING } from './running-process.js';

/** Reads the configuration and opens everything it names. What goes wrong fails the start. */
function engineOf(role: 'standalone' | 'gateway'): Provider[] {
  return [
    { provide: CONFIG, useFactory: () => loadConfig(process.env, role) },
    { provide: RUNNING, inject: [CONFIG], useFactory: (config: Config) => openEngine(config, role) },
    { provide: ENGINE, inject: [RUNNING], useFactory: ({ engine }: RunningEngine) => engine },
    { provide: HEALTH, inject: [RUNNING], useFactory: ({ health }: RunningEngine) => health },
  ];
}

const exported = [CONFIG, RUNNING, ENGINE, HEALTH];

/** Everything: the stores, and the projector that keeps the graph. */
@Global()
@Module({ providers: engineOf('standalone'), exports: exported })
export class StandaloneEngineModule {}

/** The stores, and no projector: other processes keep the graph. */
@Global()
@Module({ providers: engineOf('gateway'), exports: exported })
export class GatewayEngineModule {}
