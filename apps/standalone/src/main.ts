import 'reflect-metadata';
import { ENGINE, type Engine } from '#edge/engine';
import { GrpcDoor } from '#edge/grpc/grpc-door';
import { prepareHttp } from '#edge/rest/http-server';
import { start } from '#wiring/serve';
import { greeting } from './greeting.js';
import { StandaloneModule } from './standalone.module.js';

await start({
  module: StandaloneModule,
  prepare: (app) => prepareHttp(app, app.get<Engine>(ENGINE)),
  greeting,
  grpcPort: (app) => app.get(GrpcDoor).port,
  // What the graph shows can still be read.
  endsWhenFailed: false,
});
