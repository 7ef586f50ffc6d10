import { Module } from '@nestjs/common';
import { GrpcModule } from '#edge/grpc/grpc.module';
import { RestModule } from '#edge/rest/rest.module';
import { StandaloneEngineModule } from '#wiring/engine.module';

/** Everything in one process: doors, projector and stores. */
@Module({ imports: [StandaloneEngineModule, RestModule, GrpcModule] })
export class StandaloneModule {}
