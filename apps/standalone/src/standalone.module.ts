import { Module } from '@nestjs/common';
import { RestModule } from '#edge/rest/rest.module';
import { StandaloneEngineModule } from '#wiring/engine.module';

/** Everything in one process: doors, projector and stores. */
@Module({ imports: [StandaloneEngineModule, RestModule] })
export class StandaloneModule {}
