import { Module } from '@nestjs/common';
import { WatchModule } from '../watch.module.js';
import { GrpcDoor } from './grpc-door.js';

/** The gRPC door. Whoever imports it provides the ENGINE, the HEALTH and the GRPC_OPTIONS. */
@Module({ imports: [WatchModule], providers: [GrpcDoor], exports: [GrpcDoor] })
export class GrpcModule {}
