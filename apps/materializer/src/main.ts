import 'reflect-metadata';
import { greetingOf } from '#wiring/greeting';
import { start } from '#wiring/serve';
import { MaterializerModule } from './materializer.module.js';

await start({
  module: MaterializerModule,
  greeting: (addresses, config) => greetingOf('materializer', addresses, config),
  endsWhenFailed: true,
});
