import { Module } from '@nestjs/common';
import { HEALTH } from '#edge/health';
import { HealthController } from '#edge/rest/health.controller';
import { CONFIG, type Config, loadConfig } from './config.js';
import { openProjector } from './open-projector.js';
import { RUNNING, type RunningProcess } from './running-process.js';

/** The loop from the log to the graph, with no door but its health. */
@Module({
  controllers: [HealthController],
  providers: [
    { provide: CONFIG, useFactory: () => loadConfig(process.env, 'projector') },
    { provide: RUNNING, inject: [CONFIG], useFactory: (config: Config) => openProjector(config) },
    { provide: HEALTH, inject: [RUNNING], useFactory: ({ health }: RunningProcess) => health },
  ],
})
export class ProjectorEngineModule {}
