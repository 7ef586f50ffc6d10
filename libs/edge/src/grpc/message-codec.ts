import type { ServiceDefinition } from '@grpc/grpc-js';
import { VarveError } from '#core/error';

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

/** The same service, but what cannot be read becomes a value: grpc-js would call it an error of the server's own. */
export function lenientService<Definition extends ServiceDefinition>(definition: Definition): Definition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      try {
        return method.requestDeserialize(bytes);
      } catch (cause) {
        return new MalformedMessage(cause);
      }
    };
    return [name, { ...method, requestDeserialize }] as const;
  });
  return Object.fromEntries(methods) as unknown as Definition;
}
