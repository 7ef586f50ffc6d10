import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** A service and what answers it. */
export interface Served {
  readonly definition: ServiceDefinition;
  readonly server: UntypedServiceImplementation;
}
