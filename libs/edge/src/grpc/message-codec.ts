import type { ServiceDefinition } from '@grpc/grpc-js';
import { VarveError } from '#core/error';
import { chunkOf, decodeChunk, encodeChunk } from './chunk-codec.js';

/** Stands for a message whose bytes are none, so that our own refusal can answer it. */
export class MalformedMessage {
  readonly #cause: unknown;

  constructor(cause: unknown) {
    this.#cause = cause;
  }

  refusal(): VarveError {
    const message = this.#cause instanceof Error ? this.#cause.message : String(this.#cause);
    return new VarveError('REQUEST_INVALID', `the message is not well formed: ${message}`, {}, { cause: this.#cause });
  }
}

/**
 * The same service, but what cannot be read becomes a value, for grpc-js would call it an error of the server's own; and
 * chunks of bytes are copied less.
 */
export function lenientService<Definition extends ServiceDefinition>(definition: Definition): Definition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      try {
        const chunk = method.requestStream ? decodeChunk(bytes) : undefined;
        return chunk ? { part: { $case: 'chunk', value: chunk } } : method.requestDeserialize(bytes);
      } catch (cause) {
        return new MalformedMessage(cause);
      }
    };
    const responseSerialize = (message: unknown): Buffer => {
      const chunk = method.responseStream ? chunkOf(message) : undefined;
      return chunk ? encodeChunk(chunk) : method.responseSerialize(message);
    };
    return [name, { ...method, requestDeserialize, responseSerialize }] as const;
  });
  return Object.fromEntries(methods) as unknown as Definition;
}
