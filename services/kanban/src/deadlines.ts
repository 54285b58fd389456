import { type Bus, managerOf } from '@tps/bus';
import type { Signal } from '@tps/contracts';

interface Deadline {
  seq: number;
  type: string;
  acceptedMs: number;
  deadlineMs: number;
}

/**
 * Knows when the waiting signals' time is up, so that they expire even where nobody pulls. Holds what this process
 * accepted, in the order of the stream, and at its start what the stream held already; whatever lies before the
 * stream's first message is finished and forgotten.
 */
export class Deadlines {
  private list: Deadline[] = [];

  constructor(
    private readonly bus: Bus,
    /** How long a signal of this type, accepted at this moment, has been held since. */
    private readonly heldMs: (type: string, acceptedMs: number, nowMs: number) => number,
  ) {}

  add(signal: Signal, seq: number, acceptedMs: number): void {
    const deadlineMs = Date.parse(signal.created_at) + signal.timeout_ms;
    this.list.push({ seq, type: signal.signal_type, acceptedMs, deadlineMs });
  }

  /** Reads the signals that the stream holds, one by one: at the start, when nobody remembers them. */
  async load(): Promise<void> {
    const jsm = await managerOf(this.bus);
    const { kanban } = this.bus.names.streams;
    const { state } = await jsm.streams.info(kanban);
    const loaded: Deadline[] = [];
    for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq += 1) {
      const message = await jsm.direct.getMessage(kanban, { seq, next_by_subj: '>' }).catch(() => null);
      if (!message || message.seq > state.last_seq) break;
      seq = message.seq;
      const signal = message.json<Signal>();
      const deadlineMs = Date.parse(signal.created_at) + signal.timeout_ms;
      const acceptedMs = message.time.getTime();
      loaded.push({ seq, type: signal.signal_type, acceptedMs, deadlineMs });
    }
    const known = new Set(loaded.map(({ seq }) => seq));
    this.list = [...loaded, ...this.list.filter(({ seq }) => !known.has(seq))];
  }

  get size(): number {
    return this.list.length;
  }

  /** Forgets what is finished for sure. */
  prune(firstSeq: number): void {
    const keep = this.list.findIndex(({ seq }) => seq >= firstSeq);
    if (keep !== 0) this.list = keep < 0 ? [] : this.list.slice(keep);
  }

  /** Sequences of those whose time is up. A stopped line's signals are held: their deadline stands still. */
  overdue(nowMs: number): number[] {
    const due = this.list.filter(({ type, acceptedMs, deadlineMs }) => {
      if (deadlineMs > nowMs) return false;
      return deadlineMs + this.heldMs(type, acceptedMs, nowMs) <= nowMs;
    });
    return due.map(({ seq }) => seq);
  }

  remove(seq: number): void {
    this.list = this.list.filter((entry) => entry.seq !== seq);
  }
}
