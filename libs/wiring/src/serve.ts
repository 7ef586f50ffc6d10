import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { isVarveError, VarveError } from '#core/error';
import { exitCode } from '#core/exit-code';
import { createHttpServer, instanceOf } from '#edge/rest/http-server';
import { ProblemFilter } from '#edge/rest/problem.filter';
import { CONFIG, type Config, type ListenAddress } from './config.js';
import { RUNNING, type RunningProcess } from './running-process.js';
import { endOnSignal, type Stoppable } from './shutdown.js';
import { createLogger, frameworkLogger, logRequests } from './telemetry.js';

/** What differs between the processes. */
export interface Served {
  /** Provides CONFIG and RUNNING. */
  readonly module: Type;
  /** What the doors need, before they open. */
  readonly prepare?: (app: NestFastifyApplication) => void;
  /** Told on standard output when it listens. */
  readonly greeting: (addresses: Addresses, config: Config) => string;
  /** Where its gRPC door is open, of a process that has one. */
  readonly grpcPort?: (app: NestFastifyApplication) => number | undefined;
  /** One that is of no use once it has failed ends by itself, so that a supervisor starts it again. */
  readonly endsWhenFailed: boolean;
}

/** Where a process listens. `grpc` is HOST:PORT, null without such a door. */
export interface Addresses {
  readonly url: string;
  readonly grpc: string | null;
}

/** Starts a process and returns once it listens. What prevents that is told on standard error, and is its exit code. */
export async function start(served: Served): Promise<void> {
  try {
    await serve(served);
  } catch (error) {
    const told = isVarveError(error)
      ? `${error.code}: ${error.message}`
      : error instanceof Error
        ? error.stack
        : String(error);
    process.stderr.write(`varve does not start. ${told}\n`);
    process.exitCode = isVarveError(error) ? exitCode[error.code] : exitCode.INTERNAL;
  }
}

/** @throws CONFIG_INVALID, DATA_IN_USE, PORT_IN_USE, CORRUPT, UNAVAILABLE; what was opened is closed again */
async function serve({ module, prepare, greeting, grpcPort, endsWhenFailed }: Served): Promise<void> {
  const adapter = createHttpServer();
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    abortOnError: false,
    bodyParser: false,
    logger: false,
  });
  const config = app.get<Config>(CONFIG);
  const running = app.get<RunningProcess>(RUNNING);
  const logger = createLogger(config.logLevel);
  app.useLogger(frameworkLogger(logger));
  app.useGlobalFilters(new ProblemFilter());
  logRequests(instanceOf(adapter), logger);
  prepare?.(app);
  if (running.swept > 0)
    logger.info({ swept: running.swept }, 'removed what earlier processes staged and never sealed');

  const server = instanceOf(adapter).server;
  try {
    await listen(app, config.listen);
  } catch (error) {
    await app.close();
    await running.close();
    throw error;
  }
  const stoppable: Stoppable = {
    server,
    logger,
    shutdownMs: config.shutdownMs,
    stopAnswering: () => app.close(),
    closeStores: () => running.close(),
  };
  const end = endOnSignal(process, stoppable);
  void whenFailed();
  const address = server.address() as AddressInfo;
  const port = grpcPort?.(app);
  const grpc = port === undefined ? null : hostAndPort(config.grpcListen?.host ?? address.address, port);
  process.stdout.write(greeting({ url: `http://${hostAndPort(address.address, address.port)}`, grpc }, config));

  async function whenFailed(): Promise<void> {
    const error = await running.failed;
    logger.fatal({ code: error.code, err: error }, `halted: ${error.message}`);
    if (!endsWhenFailed) return;
    // Long enough for whoever asks its health to see why.
    await sleep(config.haltMs);
    end(exitCode[error.code]);
  }
}

async function listen(app: NestFastifyApplication, { host, port }: ListenAddress): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    if (isVarveError(cause)) throw cause;
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

function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
