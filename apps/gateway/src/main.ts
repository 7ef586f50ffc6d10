import 'reflect-metadata';
import { ENGINE, type Engine } from '#edge/engine';
import { prepareHttp } from '#edge/rest/http-server';
import { greetingOf } from '#wiring/greeting';
import { start } from '#wiring/serve';
import { GatewayModule } from './gateway.module.js';

await start({
  module: GatewayModule,
  prepare: (app) => prepareHttp(app, app.get<Engine>(ENGINE)),
  greeting: (url, config) => greetingOf('gateway', url, config),
  endsWhenFailed: false,
});
