import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, managerOf } from '@tps/bus';
import type { Signal } from '@tps/contracts';
import { signalIn } from './unreadable-messages';

interface Deadline {
  seq: number;
  type: string;
  acceptedMs: number;
  deadlineMs: number;
}

/** A signal that the queue holds. */
export type QueuedSignal = Pick<Signal, 'id' | 'run'> & { seq: number };

const TRIES = 3;
const RETRY_MS = 200;

/**
 * Knows when the waiting signals' time is up, so that they expire even where nobody pulls. Holds what this process
 * accepted, in the order of the stream, and at its start what the stream held already; whatever lies before the
 * stream's first message is finished and forgotten.
 */
export class DeadlineIndex {
  /** What the stream holds that this process did not accept itself was read. */
  complete = false;
  private list: Deadline[] = [];

  constructor(
    private readonly bus: Bus,
    /** How long a signal of this type, accepted at this moment, has been held since. */
    private readonly pausedMs: (type: string, acceptedMs: number, nowMs: number) => number,
  ) {}

  add(signal: Signal, seq: number, acceptedMs: number): void {
    const deadlineMs = Date.parse(signal.created_at) + signal.timeout_ms;
    this.list.push({ seq, type: signal.signal_type, acceptedMs, deadlineMs });
  }

  /**
   * Reads the signals that the stream holds, one by one: at the start, when nobody remembers them. What is no signal
   * is overdue at once.
   * @returns what it read
   * @throws when the stream does not answer: then nothing is forgotten
   */
  async load(): Promise<QueuedSignal[]> {
    const jsm = await managerOf(this.bus);
    const { kanban } = this.bus.names.streams;
    const { state } = await jsm.streams.info(kanban);
    const loaded: Deadline[] = [];
    const queued: QueuedSignal[] = [];
    for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq += 1) {
      // The leader is asked: a replica that is behind would say that there is nothing more.
      const next = { seq, next_by_subj: '>' };
      const message = await patiently(() => jsm.streams.getMessage(kanban, next));
      if (!message || message.seq > state.last_seq) break;
      seq = message.seq;
      const acceptedMs = message.time.getTime();
      const signal = signalIn(message);
      if (!signal) {
        loaded.push({ seq, type: '', acceptedMs, deadlineMs: acceptedMs });
        continue;
      }
      const { signal_type: type, id, run } = signal;
      loaded.push({ seq, type, acceptedMs, deadlineMs: Date.parse(signal.created_at) + signal.timeout_ms });
      queued.push({ id, run, seq });
    }
    // What the stream no longer has is finished; what came meanwhile was not read.
    this.list = [...loaded, ...this.list.filter(({ seq }) => seq > state.last_seq)];
    this.complete = true;
    return queued;
  }

  /** The stream is another one: sequences of the old one mean nothing in it. */
  forget(): void {
    this.list = [];
    this.complete = false;
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
      return deadlineMs + this.pausedMs(type, acceptedMs, nowMs) <= nowMs;
    });
    return due.map(({ seq }) => seq);
  }

  remove(seq: number): void {
    this.list = this.list.filter((entry) => entry.seq !== seq);
  }
}

async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (tries === TRIES) throw error;
      await sleep(RETRY_MS * tries);
    }
  }
}
