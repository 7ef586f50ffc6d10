import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { VarveError } from '#core/error';
import { createHttpServer, instanceOf, prepareHttp } from '#edge/rest/http-server';
import type { Config, ListenAddress } from '#wiring/config';
import { CONFIG, RUNNING_ENGINE } from '#wiring/engine.module';
import { foldersOf } from '#wiring/locations';
import type { RunningEngine } from '#wiring/open-engine';
import { endOnSignal } from '#wiring/shutdown';
import { createLogger, frameworkLogger, logRequests } from '#wiring/telemetry';
import { StandaloneModule } from './standalone.module.js';

/**
 * Starts the server and returns once it listens.
 * @throws CONFIG_INVALID, DATA_IN_USE, PORT_IN_USE, CORRUPT, UNAVAILABLE; what was opened is closed again
 */
export async function serve(): Promise<void> {
  const adapter = createHttpServer();
  const app = await NestFactory.create<NestFastifyApplication>(StandaloneModule, adapter, {
    abortOnError: false,
    bodyParser: false,
    logger: false,
  });
  const config = app.get<Config>(CONFIG);
  const running = app.get<RunningEngine>(RUNNING_ENGINE);
  const logger = createLogger(config.logLevel);
  app.useLogger(frameworkLogger(logger));
  logRequests(instanceOf(adapter), logger);
  prepareHttp(app, running.engine);
  if (running.swept > 0)
    logger.info({ swept: running.swept }, 'removed what earlier processes staged and never sealed');
  void running.failed.then((error) =>
    logger.fatal({ code: error.code, err: error }, 'the graph does not follow the log any more'),
  );

  const server = instanceOf(adapter).server;
  try {
    await listen(app, config.listen);
  } catch (error) {
    await app.close();
    await running.close();
    throw error;
  }
  endOnSignal(process, {
    server,
    logger,
    shutdownMs: config.shutdownMs,
    stopAnswering: () => app.close(),
    closeStores: () => running.close(),
  });
  process.stdout.write(greeting(server.address() as AddressInfo, config));
}

async function listen(app: NestFastifyApplication, { host, port }: ListenAddress): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const place = `${host}:${port}`;
    if (code === 'EADDRINUSE') {
      throw new VarveError(
        'PORT_IN_USE',
        `another process listens on ${place}; set VARVE_LISTEN to another address`,
        { listen: place },
        { cause },
      );
    }
    throw new VarveError(
      'CONFIG_INVALID',
      `VARVE_LISTEN="${place}" cannot be listened on: ${message}`,
      { listen: place },
      { cause },
    );
  }
}

function greeting({ address, family, port }: AddressInfo, { eventLog, blobStore }: Config): string {
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  const folders = foldersOf([eventLog, blobStore]);
  return [
    `Varve listens on ${url}`,
    `Data: ${folders.length === 0 ? 'in memory, forgotten at the end' : folders.join(', ')}`,
    '',
    'Try, in another terminal:',
    '  bin/varve load image.tar        an archive of docker save, of any age, or an OCI layout',
    '  bin/varve images --tree',
    '  bin/varve log',
    '  bin/varve checkout HEAD -o rootfs.tar',
    '',
    `The REST interface: ${url}/api/v1/openapi.json`,
    '',
  ].join('\n');
}
