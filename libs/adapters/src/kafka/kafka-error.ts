import { VarveError } from '#core/error';

/** What kafkajs' errors have in common. */
interface KafkaError extends Error {
  readonly type?: string;
  readonly errors?: readonly KafkaError[];
}

/** The error that kafkajs wrapped into retries and aggregates, which says what it was. */
export function rootOf(error: unknown): KafkaError {
  const { cause, errors } = error as KafkaError;
  if (errors?.[0]) return rootOf(errors[0]);
  if (cause instanceof Error && cause !== error) return rootOf(cause);
  return error as KafkaError;
}

/** Whether the broker said so, in Kafka's word for it. */
export function isKafkaError(error: unknown, type: string): boolean {
  return error instanceof Error && rootOf(error).type === type;
}

/** A broker that is lost, or leads no more, or answers too late: this passes. */
export function unavailable(brokers: readonly string[], error: unknown): VarveError {
  const message = `Kafka at ${brokers.join(',')} does not answer: ${rootOf(error).message}`;
  return new VarveError('UNAVAILABLE', message, { brokers }, { cause: error });
}

/** Kafka's numbers for what happened to one partition of a fetch. */
export const fetchError = {
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  leaderNotAvailable: 5,
  notLeader: 6,
} as const;

const settling = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION']);

/** A topic that was just made, or a partition that gets another leader: it is worth waiting a moment for. */
export function isSettling(error: unknown): boolean {
  const { type, detail } = rootOf(error) as KafkaError & { readonly detail?: { readonly errorCode?: number } };
  const code = detail?.errorCode;
  return settling.has(type ?? '') || code === fetchError.leaderNotAvailable || code === fetchError.notLeader;
}
