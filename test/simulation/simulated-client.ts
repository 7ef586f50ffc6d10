import { type ErrorCode, isVarveError, VarveError } from '#core/error';
import type { RefOperation } from '#core/event';
import { limit } from '#core/limit';
import type { Position } from '#core/position';
import type { RefValue } from '#core/ref';
import { isUndecided } from '#history/undecided';
import type { WriteContext, Written } from '#history/write';
import { BrokenLaw, law, show } from './law.js';
import { dag, main, tester } from './simulated-content.js';
import type { Scheduler } from './scheduler.js';
import type { Gateway } from './simulated-cluster.js';
import { layers } from './simulated-layers.js';
import type { Place, Wish, WishType } from './wish.js';

const withLayer: ReadonlySet<WishType> = new Set(['layer', 'upload', 'hint']);
const retriesMax = 3;
/** A read that was too early. */
const noAnswer: ReadonlySet<ErrorCode> = new Set(['NOT_PROJECTED']);
/** Says why this copy was not sent, by a full log, a graph that went back or a blob that is gone, and nothing of one that was sent before. */
const ofOneCopy: ReadonlySet<ErrorCode> = new Set([
  'STORAGE_FULL',
  'REPOSITORY_UNKNOWN',
  'COMMIT_UNKNOWN',
  'BLOB_UNKNOWN',
]);

export interface ClientOptions {
  readonly scheduler: Scheduler;
  readonly gateways: readonly Gateway[];
  readonly places: readonly Place[];
  readonly types: readonly WishType[];
}

/** Wants one thing after the other, through any gateway, and again with the same key when it was told nothing. */
export class Client {
  readonly wishes: Wish[] = [];
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #gateways: readonly Gateway[];
  readonly #places: readonly Place[];
  readonly #types: readonly WishType[];
  /** The newest it was told of each ref. */
  readonly #known = new Map<string, { readonly value: RefValue; readonly position: Position }>();

  /** `types` is what it draws its wishes from. */
  constructor(name: string, { scheduler, gateways, places, types }: ClientOptions) {
    this.#types = types;
    this.name = name;
    this.#scheduler = scheduler;
    this.#gateways = gateways;
    this.#places = places;
  }

  async run(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      await this.#scheduler.sleep(this.#scheduler.pick(60));
      await this.#fulfil(this.#wish(`${this.name} ${n}`));
    }
  }

  #wish(name: string): Wish {
    const { pick } = this.#scheduler;
    const type = this.#types[pick(this.#types.length)] as WishType;
    const place = this.#place(type);
    const known = this.#known.get(keyOf(place))?.value;
    const wish: Wish = {
      ...place,
      name,
      type,
      // Who does not say what it expects may be refused by one gateway and served by another, under one key as well.
      key: known && type !== 'read' && pick(3) > (type === 'move' ? 0 : 1) ? name : null,
      expect: known && type !== 'read' && pick(5) > 0 ? known : undefined,
      isCurrent: pick(2) === 0 || known === undefined,
      layer: withLayer.has(type) ? (layers[pick(layers.length)] ?? null) : null,
      to: pick(8) === 0 ? null : (dag[pick(4) > 0 ? pick(2) : pick(dag.length)]?.id ?? null),
      invoked: this.#scheduler.steps,
      returned: Number.POSITIVE_INFINITY,
      answer: { type: 'unknown', txid: null, gcEpoch: 0 },
    };
    const told = wish.key !== null && wish.expect === undefined ? { ...wish, key: null } : wish;
    this.wishes.push(told);
    return told;
  }

  /** Most of it happens to one ref, between few commits: away and back is what a comparison can be wrong about. */
  #place(type: WishType): Place {
    const { pick } = this.#scheduler;
    const place = this.#places[pick(3) > 0 ? 0 : pick(this.#places.length)] as Place;
    // A layer is worth a branch that is there.
    const isThere = !withLayer.has(type) || this.#known.get(keyOf(place))?.value.commit;
    return isThere ? place : { ...place, ref: main };
  }

  async #fulfil(wish: Wish): Promise<void> {
    const since = this.#scheduler.now;
    for (let attempt = 0; attempt <= retriesMax; attempt += 1) {
      const gateway = this.#gateways[this.#scheduler.pick(this.#gateways.length)] as Gateway;
      this.#scheduler.note(`${wish.name} (${wish.type} ${wish.ref}) asks ${gateway.actor.name}`);
      await this.#ask(gateway, wish, { attempt, since });
      this.#scheduler.note(`${wish.name} is told ${wish.answer.type}`);
      if (wish.answer.type !== 'unknown') {
        wish.returned = this.#scheduler.steps;
        return;
      }
      if (wish.key === null) break;
    }
    if (wish.key === null && this.#scheduler.chance(3)) await this.#end(wish);
  }

  /** Wants to know at last, whatever it is. */
  async #end(wish: Wish): Promise<void> {
    const { repo, answer } = wish;
    if (answer.type !== 'unknown' || answer.txid === null) return;
    const name = { repo, txid: answer.txid, gcEpoch: answer.gcEpoch };
    const context = { actor: tester, reason: `${wish.name} ends`, idempotencyKey: null, request: null };
    const gateway = this.#gateways[this.#scheduler.pick(this.#gateways.length)] as Gateway;
    this.#scheduler.note(`${wish.name} ends`);
    try {
      const { outcome, offset } = await gateway.answer(() => gateway.end(name, context));
      if (outcome.type === 'rejected') {
        wish.answer = { type: 'refused', error: new VarveError(outcome.code, outcome.message, outcome.detail) };
      } else wish.answer = { type: 'ok', value: valueOf(outcome), position: gateway.positionOf(repo, offset) };
      wish.returned = this.#scheduler.steps;
    } catch (error) {
      if (error instanceof BrokenLaw) throw error;
    }
    this.#scheduler.note(`${wish.name} is told ${wish.answer.type} in the end`);
  }

  async #ask(gateway: Gateway, wish: Wish, { attempt, since }: Attempt): Promise<void> {
    const { rollBacks } = gateway;
    try {
      const told = await gateway.answer(() => this.#call(gateway, wish));
      wish.answer = { type: 'ok', ...told };
      if (told.value) this.#known.set(keyOf(wish), { value: told.value, position: told.position });
    } catch (error) {
      if (error instanceof BrokenLaw) throw error;
      const txid = isVarveError(error) && typeof error.detail['txid'] === 'string' ? error.detail['txid'] : null;
      // A retry reads the ref and then its outcome: a graph that goes back between the two shows its own effect alone.
      const wentBack = gateway.rollBacks !== rollBacks && txid === null;
      // A key that is as old as this may be forgotten, and the write be taken for another one.
      const isOld = this.#scheduler.now - since >= limit.outcomesKeptMs;
      const saysNothing = (code: ErrorCode) =>
        noAnswer.has(code) || (attempt > 0 && (ofOneCopy.has(code) || wentBack || isOld));
      const isFinal = isVarveError(error) && !isUndecided(error) && !saysNothing(error.code);
      wish.answer = isFinal ? { type: 'refused', error } : { type: 'unknown', txid, gcEpoch: epochIn(error) };
    }
  }

  async #call(gateway: Gateway, wish: Wish): Promise<{ value: RefValue | null; position: Position }> {
    const context = {
      actor: tester,
      reason: wish.name,
      idempotencyKey: wish.key,
      request: null,
    } satisfies WriteContext;
    if (wish.type === 'read') return this.#read(gateway, wish);
    const { outcome, position } = await this.#write(gateway, wish, context);
    return { value: valueOf(outcome), position };
  }

  #write(gateway: Gateway, wish: Wish, context: WriteContext): Promise<Written> {
    const { type, repo, ref, expect, to, layer } = wish;
    const operation: RefOperation = 'update';
    if (type === 'move') return gateway.move({ repo, ref, to, mode: 'force', operation, expect }, context);
    if (type === 'upload' && layer) return gateway.upload(repo, layer);
    const commit = { repo, branch: ref, message: wish.name, expect };
    if (type === 'hint' && layer) return gateway.commitHinted({ ...commit, layer }, context);
    return gateway.commit({ ...commit, layer }, context);
  }

  /** Half of the reads are of the log's end, half of what the client has seen. */
  async #read(gateway: Gateway, wish: Wish): Promise<{ value: RefValue; position: Position }> {
    const known = this.#known.get(keyOf(wish));
    const told = await gateway.read(wish, wish.isCurrent ? undefined : known?.position);
    const isOlder = known !== undefined && told.value.version < known.value.version;
    law('I8', !isOlder, `${wish.name} saw ${show(told.value)} of ${wish.ref} after ${show(known?.value)}`);
    return told;
  }
}

interface Attempt {
  readonly attempt: number;
  /** When the first of them began. */
  readonly since: number;
}

/** What the ref was moved to; null when nothing had to change. */
function valueOf({ moves: [move] }: Written['outcome']): RefValue | null {
  return move ? { commit: move.commit, version: move.version } : null;
}

function keyOf({ repo, ref }: Place): string {
  return `${repo} ${ref}`;
}

/** What the answer tells of the time the transaction was made at. */
function epochIn(error: unknown): number {
  return isVarveError(error) ? Number(error.detail['gcEpoch'] ?? 0) : 0;
}
