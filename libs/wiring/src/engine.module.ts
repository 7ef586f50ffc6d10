import { Global, Module } from '@nestjs/common';
import { ENGINE } from '#edge/engine';
import { type Config, loadConfig } from './config.js';
import { openEngine, type RunningEngine } from './open-engine.js';

/** Injection tokens of the configuration and of the engine with its end. */
export const CONFIG = Symbol('config');
export const RUNNING_ENGINE = Symbol('running engine');

/** Reads the configuration and opens everything it names. What goes wrong fails the start. */
@Global()
@Module({
  providers: [
    { provide: CONFIG, useFactory: () => loadConfig(process.env) },
    { provide: RUNNING_ENGINE, inject: [CONFIG], useFactory: (config: Config) => openEngine(config) },
    { provide: ENGINE, inject: [RUNNING_ENGINE], useFactory: ({ engine }: RunningEngine) => engine },
  ],
  exports: [CONFIG, RUNNING_ENGINE, ENGINE],
})
export class EngineModule {}
