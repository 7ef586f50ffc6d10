import { Module } from '@nestjs/common';
import { HEALTH } from '#edge/health';
import { HealthController } from '#edge/rest/health.controller';
import { CONFIG, type Config, loadConfig } from './config.js';
import { openNotary } from './open-notary.js';
import { RUNNING, type RunningProcess } from './running-process.js';

/** The loop that keeps and signs the audit trees, with no door but its health. */
@Module({
  controllers: [HealthController],
  providers: [
    { provide: CONFIG, useFactory: () => loadConfig(process.env, 'notary') },
    { provide: RUNNING, inject: [CONFIG], useFactory: (config: Config) => openNotary(config) },
    { provide: HEALTH, inject: [RUNNING], useFactory: ({ health }: RunningProcess) => health },
  ],
})
export class NotaryEngineModule {}
