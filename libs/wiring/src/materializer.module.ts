import { Module } from '@nestjs/common';
import { HEALTH } from '#edge/health';
import { HealthController } from '#edge/rest/health.controller';
import { CONFIG, type Config, loadConfig } from './config.js';
import { openMaterializer } from './open-materializer.js';
import { RUNNING, type RunningProcess } from './running-process.js';

/** A worker on the jobs, with no door but its health. */
@Module({
  controllers: [HealthController],
  providers: [
    { provide: CONFIG, useFactory: () => loadConfig(process.env, 'materializer') },
    { provide: RUNNING, inject: [CONFIG], useFactory: (config: Config) => openMaterializer(config) },
    { provide: HEALTH, inject: [RUNNING], useFactory: ({ health }: RunningProcess) => health },
  ],
})
export class MaterializerEngineModule {}
