import 'reflect-metadata';
import { ENGINE, type Engine } from '#edge/engine';
import { GrpcDoor } from '#edge/grpc/grpc-door';
import { prepareHttp } from '#edge/rest/http-server';
import { greetingOf } from '#wiring/greeting';
import { start } from '#wiring/serve';
import { GatewayModule } from './gateway.module.js';

await start({
  module: GatewayModule,
  prepare: (app) => prepareHttp(app, app.get<Engine>(ENGINE)),
  greeting: (addresses, config) => greetingOf('gateway', addresses, config),
  grpcPort: (app) => app.get(GrpcDoor).port,
  endsWhenFailed: false,
});
