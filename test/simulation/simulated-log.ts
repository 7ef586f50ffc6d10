import { AppendSignal } from '#adapters/follow-appends';
import { VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import type { EventLog } from '#ports/event-log';
import type { Actor, Scheduler } from './scheduler.js';

/** The one log, with the network before it. Everybody sees it through a port of his own. */
export class SimulatedLog {
  readonly id = 'sim';
  readonly partitionCount: number;
  readonly partitions: LogRecord[][];
  /** Faults happen while this holds. */
  isFaulty = true;
  /** Records that are still on their way, whoever sent them. */
  late = 0;
  /** Is told of each record that is stored. */
  onStored: (partition: number, record: LogRecord) => void = () => undefined;
  readonly #scheduler: Scheduler;
  readonly #appended = new AppendSignal();

  constructor(scheduler: Scheduler, partitionCount: number) {
    this.#scheduler = scheduler;
    this.partitionCount = partitionCount;
    this.partitions = Array.from({ length: partitionCount }, () => []);
  }

  portOf(actor: Actor): EventLog {
    const turn = (label: string) => this.#scheduler.turn(actor, label);
    return {
      id: this.id,
      partitionCount: this.partitionCount,
      append: async (partition, records) => {
        await this.#sent(actor, partition, records);
        await this.#append(actor, partition, records);
      },
      read: (partition, from) => this.#read(turn, partition, from),
      follow: (partition, from, signal) => this.#follow(turn, partition, from, signal),
      end: async (partition) => {
        await turn('log end');
        this.#mayFail('end');
        return this.#records(partition).length;
      },
      close: async () => {},
    };
  }

  /** Stores the records, whatever becomes of the answer. */
  store(partition: number, records: readonly Uint8Array[]): void {
    const log = this.#records(partition);
    for (const bytes of records) {
      const record = { offset: log.length, time: this.#scheduler.now, bytes };
      log.push(record);
      this.onStored(partition, record);
    }
    this.#appended.wake();
  }

  /** The request travels; when its sender dies meanwhile it may arrive all the same, after a while. */
  async #sent(actor: Actor, partition: number, records: readonly Uint8Array[]): Promise<void> {
    let isUnderWay = true;
    if (this.#hits(3)) {
      this.#later(() => {
        if (isUnderWay && actor.state === 'dead') this.#land(partition, records);
      });
    }
    await this.#scheduler.turn(actor, `appends ${records.length} to ${partition}`);
    isUnderWay = false;
  }

  async #append(actor: Actor, partition: number, records: readonly Uint8Array[]): Promise<void> {
    const { pick } = this.#scheduler;
    const fault = this.isFaulty ? pick(10) : 9;
    this.#scheduler.note(`append of ${actor.name}: fault ${fault}`);
    if (fault === 0) throw unavailable('nothing was appended');
    if (fault === 1) throw new VarveError('STORAGE_FULL', 'full for an instant');
    const isLate = fault === 2 || fault === 7;
    if (isLate) this.#later(() => this.#land(partition, records));
    if (isLate) throw unavailable('it is on its way');
    // From the first on, any number of them.
    this.store(partition, fault === 3 ? records.slice(0, 1 + pick(records.length)) : records);
    if (fault === 3) throw unavailable('it may be stored');
    if (fault === 4) this.store(partition, records);
    if (fault === 5) this.#later(() => this.#land(partition, records));
    await this.#scheduler.turn(actor, 'append is acknowledged');
    if (fault === 6) throw unavailable('the acknowledgement is lost');
  }

  #later(land: () => void): void {
    this.late += 1;
    this.#scheduler.after(this.#scheduler.pick(3_000), () => {
      this.late -= 1;
      land();
    });
  }

  #land(partition: number, records: readonly Uint8Array[]): void {
    this.#scheduler.note(`${records.length} late records land in ${partition}`);
    this.store(partition, records);
  }

  async *#read(turn: (label: string) => Promise<void>, partition: number, from: number) {
    const end = this.#records(partition).length;
    for (let at = from; at < end;) {
      await turn(`reads from ${at}`);
      this.#mayFail('read');
      const batch = this.#records(partition).slice(at, Math.min(end, at + 1 + this.#scheduler.pick(8)));
      yield batch;
      at += batch.length;
    }
  }

  async *#follow(turn: (label: string) => Promise<void>, partition: number, from: number, signal: AbortSignal) {
    for (let at = from; !signal.aborted;) {
      const more = this.#appended.next(signal);
      for await (const batch of this.#read(turn, partition, at)) {
        if (signal.aborted) return;
        yield batch;
        at += batch.length;
      }
      await more;
    }
  }

  #records(partition: number): LogRecord[] {
    return this.partitions[partition] as LogRecord[];
  }

  #hits(n: number): boolean {
    return this.isFaulty && this.#scheduler.chance(n);
  }

  #mayFail(what: string): void {
    if (this.#hits(40)) throw unavailable(`the log does not answer: ${what}`);
  }
}

function unavailable(why: string): VarveError {
  return new VarveError('UNAVAILABLE', why);
}
