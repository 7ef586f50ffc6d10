import { Module } from '@nestjs/common';
import { RestModule } from '#edge/rest/rest.module';
import { EngineModule } from '#wiring/engine.module';

/** Everything in one process: doors, projector and stores. */
@Module({ imports: [EngineModule, RestModule] })
export class StandaloneModule {}
