import type { Msg } from '@nats-io/transport-node';

/** A signal that was delivered to this process, as the monitor's thread reads it. */
export interface LeasedSignal {
  /** The reply subject of the delivery: renewals go there. */
  ack: string;
  id: string;
  type: string;
  /** The main thread has taken it to run it, so it is too late to cancel it. */
  opened: boolean;
  /** Its handler was started. */
  started: boolean;
  /** When its attempt's time is up, in milliseconds since 1970; 0 before the start. */
  endsAtMs: number;
}

const HEADER_INTS = 8;
/** Places in the header. */
const BEATS = 0;
const RUNNING = 1;
const NOTES = 2;
const LEASE_MS = 3;
const DEBUGGED = 4;
const TEXT_BYTES = 496;
const FREE = 0;
const WAITING = 1;
const OPENED = 2;
const STARTED = 3;
/** The entry of a signal for which the table had no room. */
export const NO_ENTRY = -1;

/**
 * Lists the signals that were delivered to the main thread, in memory that it shares with the monitor's thread. A thread
 * cannot ask a blocked main thread, so the main thread writes down each delivery beforehand. That takes 0.2 microseconds
 * per signal; a `postMessage` would take 20 times as long.
 *
 * Only the main thread writes, except for the count of notes. A signal beyond the capacity is not entered: it is
 * renewed by the main thread alone.
 */
export class LeaseTable {
  private readonly header: Int32Array;
  private readonly ends: Float64Array;
  private readonly states: Int32Array;
  private readonly lengths: Int32Array;
  private readonly text: Buffer;
  private readonly free: number[] = [];

  constructor(readonly memory: SharedArrayBuffer) {
    const head = HEADER_INTS * 4;
    const capacity = (memory.byteLength - head) / (16 + TEXT_BYTES);
    this.header = new Int32Array(memory, 0, HEADER_INTS);
    this.ends = new Float64Array(memory, head, capacity);
    this.states = new Int32Array(memory, head + 8 * capacity, capacity);
    this.lengths = new Int32Array(memory, head + 12 * capacity, capacity);
    this.text = Buffer.from(memory, head + 16 * capacity, TEXT_BYTES * capacity);
    // The last entry that was freed is used next, so a quiet worker touches few pages of the memory.
    for (let entry = capacity - 1; entry >= 0; entry -= 1) this.free.push(entry);
  }

  static ofCapacity(capacity: number): LeaseTable {
    const table = new LeaseTable(new SharedArrayBuffer(HEADER_INTS * 4 + capacity * (16 + TEXT_BYTES)));
    table.pause();
    return table;
  }

  /** @returns the entry, or -1 if there is no room */
  enter({ reply, subject }: Pick<Msg, 'reply' | 'subject'>): number {
    const entry = this.free.pop();
    if (entry === undefined) return NO_ENTRY;
    const text = `${reply} ${subject}`;
    if (text.length > TEXT_BYTES) {
      this.free.push(entry);
      return NO_ENTRY;
    }
    this.lengths[entry] = this.text.write(text, entry * TEXT_BYTES, 'latin1');
    Atomics.store(this.states, entry, WAITING);
    return entry;
  }

  /** The main thread has taken it from the fetched signals: it will run, or be released. */
  open(entry: number): void {
    if (entry !== NO_ENTRY) Atomics.store(this.states, entry, OPENED);
  }

  /** Its handler begins to run. */
  start(entry: number, endsAtMs: number): void {
    if (entry === NO_ENTRY) return;
    this.ends[entry] = endsAtMs;
    Atomics.store(this.states, entry, STARTED);
    this.header[RUNNING] = entry;
  }

  /** The handler that was started last has returned or waits for something. */
  pause(): void {
    this.header[RUNNING] = NO_ENTRY;
  }

  leave(entry: number): void {
    if (entry === NO_ENTRY) return;
    Atomics.store(this.states, entry, FREE);
    this.free.push(entry);
  }

  /** The event loop turns. */
  beat(isDebugged: boolean): void {
    this.header[DEBUGGED] = Number(isDebugged);
    Atomics.add(this.header, BEATS, 1);
  }

  get beats(): number {
    return Atomics.load(this.header, BEATS);
  }

  /** A debugger is attached, or may be, so nothing else may pause or resume the main thread. */
  get isDebugged(): boolean {
    return this.header[DEBUGGED] === 1;
  }

  get leaseMs(): number {
    return this.header[LEASE_MS]!;
  }

  set leaseMs(ms: number) {
    this.header[LEASE_MS] = ms;
  }

  /** Notes that the thread has sent to the main thread so far. */
  get notes(): number {
    return Atomics.load(this.header, NOTES);
  }

  countNote(): void {
    Atomics.add(this.header, NOTES, 1);
  }

  /** The signal whose handler runs now and has not waited for anything yet. */
  running(): LeasedSignal | undefined {
    const entry = this.header[RUNNING]!;
    return entry === NO_ENTRY ? undefined : this.at(entry);
  }

  signals(): LeasedSignal[] {
    return [...this.states.keys()].flatMap((entry) => this.at(entry) ?? []);
  }

  private at(entry: number): LeasedSignal | undefined {
    const state = Atomics.load(this.states, entry);
    if (state === FREE) return undefined;
    const start = entry * TEXT_BYTES;
    const [ack = '', subject = ''] = this.text
      .toString('latin1', start, start + this.lengths[entry]!)
      .split(' ');
    const [id = '', , type = ''] = subject.split('.').reverse();
    const started = state === STARTED;
    return { ack, id, type, opened: state >= OPENED, started, endsAtMs: started ? this.ends[entry]! : 0 };
  }
}
