import 'reflect-metadata';
import { greetingOf } from '#wiring/greeting';
import { start } from '#wiring/serve';
import { ProjectorModule } from './projector.module.js';

await start({
  module: ProjectorModule,
  greeting: (addresses, config) => greetingOf('projector', addresses, config),
  endsWhenFailed: true,
});
