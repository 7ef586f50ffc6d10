import 'reflect-metadata';
import { greetingOf } from '#wiring/greeting';
import { start } from '#wiring/serve';
import { NotaryModule } from './notary.module.js';

await start({
  module: NotaryModule,
  greeting: (addresses, config) => greetingOf('notary', addresses, config),
  endsWhenFailed: true,
});
