import type { Conversation, Query } from './conversation.js';
import type { FsckFinding } from './fsck-answer.js';
import type { RequestBody } from './transport.js';

/** A line of `GET /api/v1/audit/log`. */
export type AuditLine = AuditedRecord | { readonly type: 'summary'; readonly records: number };

/** One record of the log: who, why, when, and what became of it. */
export interface AuditedRecord {
  readonly type: 'record';
  readonly position: string;
  readonly time: string;
  readonly event: string;
  /** `accepted`, `none`, `rejected:CODE` */
  readonly outcome: string;
  readonly message: string | null;
  readonly actor: { readonly name: string; readonly verified: boolean } | null;
  readonly repo: string | null;
  readonly operation: string | null;
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly txid: string | null;
  readonly moves: readonly {
    readonly ref: string;
    readonly from: string | null;
    readonly to: string | null;
    readonly version: number | null;
  }[];
  readonly commits: readonly string[];
}

/** A line of `POST /api/v1/audit/check`. */
export type AuditCheckLine =
  | FsckFinding
  | { readonly type: 'progress'; readonly records: number }
  | { readonly type: 'summary'; readonly records: number; readonly faults: number };

/** Questions about the past, and what shows that the answers are right, over REST. Each throws the server's own code. */
export class AuditQuestions {
  readonly #conversation: Conversation;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  /** Records that every filter wants, oldest first, as they are read. */
  log(filter: Query): AsyncGenerator<AuditLine> {
    return this.#conversation.lines('api/v1/audit/log', filter);
  }

  /** A proof file. */
  proof(question: Query): Promise<string> {
    return this.#conversation.text('api/v1/audit/proof', question);
  }

  /** The newest signed note. */
  checkpoint(partition = 0): Promise<string> {
    return this.#conversation.text('api/v1/audit/checkpoint', { partition });
  }

  /** The public key. Only as good as the way it came. */
  async key(): Promise<string> {
    return (await this.#conversation.text('api/v1/audit/key')).trim();
  }

  /** What of the log, or of the trees over it, is not as it was signed. */
  check(): AsyncGenerator<AuditCheckLine> {
    return this.#conversation.lines('api/v1/audit/check', {}, 'POST');
  }

  /** The whole event log as lines of JSON, the last one a summary. */
  exportLog(): AsyncGenerator<{ readonly type: string }> {
    return this.#conversation.lines('api/v1/eventlog');
  }

  /** Copies an exported log into that of an empty server. Sent once: half of it would be in the way of the next try. */
  importLog(body: RequestBody): Promise<{ readonly records: number; readonly position: string }> {
    const { contentType, sizeBytes } = body;
    const once = { contentType, sizeBytes, repeatable: false, open: (over: AbortSignal) => body.open(over) };
    return this.#conversation.write({ method: 'POST', path: 'api/v1/eventlog', body: once });
  }

  /** Hashes in base64 that show that a tree continues another. */
  async consistency(question: {
    readonly from: number;
    readonly to: number;
    readonly partition: number;
  }): Promise<readonly string[]> {
    const { path } = await this.#conversation.read<{ path: string[] }>('api/v1/audit/consistency', question);
    return path;
  }
}
