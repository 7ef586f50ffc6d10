import { Module } from '@nestjs/common';
import { GrpcModule } from '#edge/grpc/grpc.module';
import { RestModule } from '#edge/rest/rest.module';
import { GatewayEngineModule } from '#wiring/engine.module';

/** The doors, over stores that other processes work on too. */
@Module({ imports: [GatewayEngineModule, RestModule, GrpcModule] })
export class GatewayModule {}
