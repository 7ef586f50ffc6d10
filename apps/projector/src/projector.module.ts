import { Module } from '@nestjs/common';
import { ProjectorEngineModule } from '#wiring/projector.module';

/** From the log to the graph. */
@Module({ imports: [ProjectorEngineModule] })
export class ProjectorModule {}
