import { type Bus, managerOf, retry } from '@tps/bus';
import { decodeSignal, type Priority, type Signal } from '@tps/contracts';

export interface Deadline {
  seq: number;
  type: string;
  priority: Priority;
  acceptedMs: number;
  deadlineMs: number;
}

/** A signal in the queue. */
export type QueuedSignal = Pick<Signal, 'id' | 'run'> & { seq: number };

const READ_RETRIES = { backoff: { firstMs: 200, capMs: 400 }, maxTries: 3 };

/**
 * Knows when queued signals expire, also where no worker pulls. The entries are in the order of the stream. They
 * come from reading it, and from the appends of this process. Entries before the first message of the stream are
 * finished and removed.
 */
export class DeadlineIndex {
  private isComplete = false;
  private list: Deadline[] = [];

  constructor(
    private readonly bus: Bus,
    /** How long a signal of this type has been paused since it was accepted, in milliseconds. */
    private readonly pausedMs: (type: string, acceptedMs: number, nowMs: number) => number,
  ) {}

  /** Whether the index covers the signals that other processes accepted. */
  get complete(): boolean {
    return this.isComplete;
  }

  get size(): number {
    return this.list.length;
  }

  add(signal: Signal, seq: number, acceptedMs: number): void {
    const { signal_type: type, priority } = signal;
    this.list.push({ seq, type, priority, acceptedMs, deadlineMs: deadlineOf(signal) });
  }

  /**
   * Reads the signals of the stream, one by one. A message that is no signal is overdue at once.
   *
   * @returns the signals that it read
   * @throws if the stream does not answer; the index then stays as it is
   */
  async load(): Promise<QueuedSignal[]> {
    const jsm = await managerOf(this.bus);
    const { kanban } = this.bus.names.streams;
    const { state } = await jsm.streams.info(kanban);
    const loaded: Deadline[] = [];
    const queued: QueuedSignal[] = [];
    for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq += 1) {
      // Only the leader is asked, because a replica that lags would end the list too early.
      const next = { seq, next_by_subj: '>' };
      const message = await retry(() => jsm.streams.getMessage(kanban, next), READ_RETRIES);
      if (!message || message.seq > state.last_seq) break;
      seq = message.seq;
      const acceptedMs = message.time.getTime();
      const signal = decodeSignal(message);
      if (!signal) {
        loaded.push({ seq, type: '', priority: 4, acceptedMs, deadlineMs: acceptedMs });
        continue;
      }
      const { signal_type: type, priority, id, run } = signal;
      loaded.push({ seq, type, priority, acceptedMs, deadlineMs: deadlineOf(signal) });
      queued.push({ id, run, seq });
    }
    // Keep the signals that were accepted while the stream was read.
    this.list = [...loaded, ...this.list.filter(({ seq }) => seq > state.last_seq)];
    this.isComplete = true;
    return queued;
  }

  /** Marks the index as incomplete: the stream may have signals that this process does not know. */
  invalidate(): void {
    this.isComplete = false;
  }

  /** Removes everything, because the stream was replaced and its old sequences mean nothing. */
  clear(): void {
    this.list = [];
    this.isComplete = false;
  }

  /** Removes the entries before the first message of the stream. */
  prune(firstSeq: number): void {
    const keep = this.list.findIndex(({ seq }) => seq >= firstSeq);
    if (keep !== 0) this.list = keep < 0 ? [] : this.list.slice(keep);
  }

  /**
   * Lists the signals whose time is up. The deadlines of a stopped line stand still.
   *
   * @param graceMs how long after its deadline a signal is overdue
   */
  overdue(nowMs: number, graceMs: (signal: Deadline) => number = () => 0): number[] {
    const due = this.list.filter((signal) => {
      const { type, acceptedMs, deadlineMs } = signal;
      if (deadlineMs > nowMs) return false;
      return deadlineMs + this.pausedMs(type, acceptedMs, nowMs) + graceMs(signal) <= nowMs;
    });
    return due.map(({ seq }) => seq);
  }

  remove(seq: number): void {
    this.list = this.list.filter((entry) => entry.seq !== seq);
  }
}

function deadlineOf({ created_at, timeout_ms }: Signal): number {
  return Date.parse(created_at) + timeout_ms;
}
