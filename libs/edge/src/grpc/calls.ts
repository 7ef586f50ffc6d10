import { once } from 'node:events';
import {
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerWritableStream,
  type StatusObject,
} from '@grpc/grpc-js';
import { VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import type { Position } from '#core/position';
import { engineAsOf, positionAsOf } from '../as-of.js';
import type { Engine } from '../engine.js';
import { renderingOf } from '../error-rendering.js';
import { awaitPositions, lookAgain, type PlacedQuestion } from '../positions.js';
import { asVarveError } from '../rest/problem.js';
import { type Asked, type Call, callOf } from './call.js';
import { MalformedMessage } from './message-codec.js';
import { statusOf } from './status.js';

/** One call when it is over, however it ended. `error` null: with OK. */
export interface EndedCall {
  readonly id: string;
  readonly method: string;
  readonly repo: string | undefined;
  readonly durationMs: number;
  readonly error: VarveError | null;
}

/** What a call cannot do without: a graph that goes on, and a log that the graph follows. */
type Needs = 'nothing' | 'graph' | 'log';

/** One call on its way. `fail` answers with how it failed. */
interface Run {
  readonly call: Call;
  readonly needs: Needs;
  readonly request: unknown;
  readonly work: (call: Asked, head: Head) => Promise<void>;
  readonly fail: (failed: StatusObject) => void;
}

/** A write says where it stands in the log; any other answer is as far as the graph is. */
type MaybeWritten = { readonly written?: { readonly position: string } | undefined };

/** Makes the head of an answer that is there. @throws NOT_PROJECTED, UNAVAILABLE when it must not be told */
type Head = (answer?: MaybeWritten) => Promise<Metadata>;

/**
 * Makes the calls of grpc-js from functions that take a message and answer with one, or with many as they are read: what
 * is the same for every command stands here. Nothing is read from a caller, nor made for it, faster than it goes on.
 */
export class Calls {
  readonly #engine: Engine;
  readonly #onEnd: (call: EndedCall) => void;

  constructor(engine: Engine, onEnd: (call: EndedCall) => void) {
    this.#engine = engine;
    this.#onEnd = onEnd;
  }

  /** What is asked of the process alone, whatever state the graph is in. */
  look<Request, Answer>(answer: (request: Request, call: Asked) => Promise<Answer>): handleUnaryCall<Request, Answer> {
    return this.#unary(answer, 'nothing');
  }

  /** The same with an answer that goes on. */
  lookOn<Request, Answer>(
    answers: (request: Request, call: Asked) => AsyncIterable<Answer>,
  ): handleServerStreamingCall<Request, Answer> {
    return this.#streaming(answers, 'nothing');
  }

  /** A question with one answer. */
  ask<Request, Answer>(answer: (request: Request, call: Asked) => Promise<Answer>): handleUnaryCall<Request, Answer> {
    return this.#unary(answer, 'graph');
  }

  /** A write with one answer; refused while the graph does not follow the log. */
  write<Request, Answer>(answer: (request: Request, call: Asked) => Promise<Answer>): handleUnaryCall<Request, Answer> {
    return this.#unary(answer, 'log');
  }

  /** A write whose request is a stream, read at the speed of the answer. */
  receive<Request, Answer>(
    answer: (requests: AsyncIterable<Request>, call: Asked) => Promise<Answer>,
  ): handleClientStreamingCall<Request, Answer> {
    return (raw, callback) => {
      const requests = wellFormed<Request>(raw);
      const work: Run['work'] = async (call, head) => {
        const value = await answer(requests, call);
        raw.sendMetadata(await head(value as MaybeWritten));
        callback(null, value);
      };
      void this.#run({ call: callOf(raw), needs: 'log', request: undefined, work, fail: callback });
    };
  }

  /** A question whose answer is a stream, made at the speed of its reader. The source is closed when the reader leaves. */
  stream<Request, Answer>(
    answers: (request: Request, call: Asked) => AsyncIterable<Answer>,
  ): handleServerStreamingCall<Request, Answer> {
    return this.#streaming(answers, 'graph');
  }

  #streaming<Request, Answer>(
    answers: (request: Request, call: Asked) => AsyncIterable<Answer>,
    needs: Needs,
  ): handleServerStreamingCall<Request, Answer> {
    return (raw) => {
      const { request } = raw;
      // A peer that is gone is told by the signal.
      raw.on('error', () => undefined);
      const work: Run['work'] = async (call, head) => {
        let isBegun = false;
        for await (const message of answers(checked(request), call)) {
          if (call.signal.aborted) throw call.signal.reason;
          if (!isBegun) raw.sendMetadata(await head());
          isBegun = true;
          if (!raw.write(message)) await drained(raw, call.signal);
        }
        if (!isBegun) raw.sendMetadata(await head());
        raw.end();
      };
      void this.#run({ call: callOf(raw), needs, request, work, fail: (failed) => raw.emit('error', failed) });
    };
  }

  #unary<Request, Answer>(
    answer: (request: Request, call: Asked) => Promise<Answer>,
    needs: Needs,
  ): handleUnaryCall<Request, Answer> {
    return (raw, callback) => {
      const { request } = raw;
      const work: Run['work'] = async (call, head) => {
        const value = await answer(checked(request), call);
        raw.sendMetadata(await head(value as MaybeWritten));
        callback(null, value);
      };
      void this.#run({ call: callOf(raw), needs, request, work, fail: callback });
    };
  }

  async #run({ call, needs, request, work, fail }: Run): Promise<void> {
    const startedAt = performance.now();
    const repo = repoOf(request);
    let wanted: readonly Position[] = [];
    const ended = (error: VarveError | null): void =>
      this.#onEnd({
        id: call.id,
        method: call.method,
        repo,
        durationMs: performance.now() - startedAt,
        error,
      });
    try {
      this.#checkAble(needs);
      const minPosition = call.headers['varve-min-position'];
      if (needs !== 'nothing' && typeof minPosition === 'string') {
        const positions = await awaitPositions(this.#engine, minPosition);
        // A write is told its outcome, which stands in the log.
        if (needs === 'graph') wanted = positions;
      }
      const engine = await this.#engineFor(call, needs);
      wanted = [...wanted, ...positionAsOf(engine)];
      await work({ ...call, engine }, (answer) => this.#head({ repo, wanted }, answer));
      ended(null);
    } catch (thrown) {
      const { error, position } = await this.#failureOf(thrown, call, { repo, wanted });
      ended(error);
      fail(statusOf(error, headOf(position)));
    }
  }

  /** What a call that failed is told: not what was read from a graph that went back meanwhile. */
  async #failureOf(
    thrown: unknown,
    { method, id, signal }: Call,
    question: PlacedQuestion,
  ): Promise<{ readonly error: VarveError; readonly position: string | undefined }> {
    const { position, refusal } = await lookAgain(this.#engine, question);
    if (signal.aborted) return { error: signal.reason as VarveError, position };
    const error = asVarveError(thrown, { what: method, id });
    const isTold = refusal === undefined || renderingOf(error.code).http >= 500;
    return { error: isTold ? error : asVarveError(refusal, { what: method, id }), position };
  }

  /** @throws REQUEST_INVALID for a write of the past */
  async #engineFor({ headers }: Call, needs: Needs): Promise<Engine> {
    const at = headers['varve-at'];
    if (at === undefined || needs === 'graph') return engineAsOf(this.#engine, at);
    throw new VarveError('REQUEST_INVALID', 'varve-at is for questions: only the present can be written', { at });
  }

  /** The same as the REST door: an old graph is asked nothing, and one that does not follow the log is promised nothing. */
  #checkAble(needs: Needs): void {
    const behind = needs === 'nothing' ? undefined : this.#engine.behind();
    if (behind) throw behind;
    const failure = needs === 'log' ? this.#engine.failure() : undefined;
    if (failure)
      throw new VarveError('UNAVAILABLE', `nothing can be written: ${failure.message}`, {}, { cause: failure });
  }

  /** @throws NOT_PROJECTED, UNAVAILABLE when the graph is not any more where the question wanted it */
  async #head(question: PlacedQuestion, { written }: MaybeWritten = {}): Promise<Metadata> {
    if (written) return headOf(written.position);
    const { position, refusal } = await lookAgain(this.#engine, question);
    if (refusal !== undefined) throw refusal;
    return headOf(position);
  }
}

function headOf(position: string | undefined): Metadata {
  const metadata = new Metadata();
  if (position !== undefined) metadata.set('varve-position', position);
  return metadata;
}

/** @throws REQUEST_INVALID when the bytes were no message */
function checked<Request>(request: Request): Request {
  if (request instanceof MalformedMessage) throw request.refusal();
  return request;
}

async function* wellFormed<Request>(requests: AsyncIterable<Request>): AsyncGenerator<Request> {
  for await (const request of requests) yield checked(request);
}

/** As the request has it, well formed or not. */
function repoOf(request: unknown): RepositoryName | undefined {
  const repo = (request as { repo?: unknown } | undefined)?.repo;
  return typeof repo === 'string' && repo !== '' ? (repo as RepositoryName) : undefined;
}

/** Until the reader takes more. @throws CANCELLED when it is gone */
async function drained(raw: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  try {
    await once(raw, 'drain', { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}
