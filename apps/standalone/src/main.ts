import 'reflect-metadata';
import { isVarveError } from '#core/error';
import { exitCode } from '#core/exit-code';
import { serve } from './serve.js';

try {
  await serve();
} catch (error) {
  const told = isVarveError(error)
    ? `${error.code}: ${error.message}`
    : error instanceof Error
      ? error.stack
      : String(error);
  process.stderr.write(`varve does not start. ${told}\n`);
  process.exitCode = isVarveError(error) ? exitCode[error.code] : exitCode.INTERNAL;
}
