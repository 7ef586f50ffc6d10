import { Module } from '@nestjs/common';
import { RestModule } from '#edge/rest/rest.module';
import { GatewayEngineModule } from '#wiring/engine.module';

/** The doors, over stores that other processes work on too. */
@Module({ imports: [GatewayEngineModule, RestModule] })
export class GatewayModule {}
