import { randomUUID } from 'node:crypto';
import { createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { type Result, SUBJECT, type Work } from './wire';

/** Called once, with null when the stream did not store the work or no result came in time. */
export type OnDone = (id: string, result: Result | null) => void;

interface Waiting {
  id: string;
  onDone: OnDone;
  deadlineMs: number;
  stored: boolean;
  result: Result | null;
}

const TIMEOUT_MS = 30_000;
const SWEEP_MS = 250;

/**
 * Publishes work to the stream and waits for the stream's acknowledgement and the worker's result. All replies come to
 * one inbox, the messages of one turn of the event loop leave in one write, and one sweep replaces a timer per request.
 * Together these halve the cost of the client's own `publish` and `request`.
 */
export class Line {
  private readonly inbox = createInbox();
  private readonly waiting = new Map<string, Waiting>();
  private gathered: { token: string; work: Work }[] = [];
  private next = 0;

  constructor(private readonly nc: NatsConnection) {
    nc.subscribe(`${this.inbox}.>`, { callback: (_, msg) => this.receive(msg) });
    setInterval(() => this.sweep(), SWEEP_MS);
  }

  submit(signal: { signal_type: string; payload: unknown }, onDone: OnDone): void {
    const token = (this.next += 1).toString(36);
    const id = randomUUID();
    this.waiting.set(token, { id, onDone, deadlineMs: Date.now() + TIMEOUT_MS, stored: false, result: null });
    const { signal_type, payload } = signal;
    this.gathered.push({ token, work: { id, signal_type, payload, reply_to: `${this.inbox}.r.${token}` } });
    if (this.gathered.length === 1) setImmediate(() => this.publish());
  }

  private publish(): void {
    const gathered = this.gathered;
    this.gathered = [];
    for (const { token, work } of gathered) {
      this.nc.publish(SUBJECT, JSON.stringify(work), { reply: `${this.inbox}.a.${token}` });
    }
  }

  private receive(msg: Msg): void {
    const kind = msg.subject[this.inbox.length + 1];
    const token = msg.subject.slice(this.inbox.length + 3);
    const waiting = this.waiting.get(token);
    if (!waiting) return;
    if (kind === 'r') waiting.result = msg.json<Result>();
    else waiting.stored = isStored(msg);
    const isRefused = kind === 'a' && !waiting.stored;
    if (isRefused || (waiting.stored && waiting.result)) this.settle(token, waiting);
  }

  private settle(token: string, { id, onDone, stored, result }: Waiting): void {
    this.waiting.delete(token);
    onDone(id, stored ? result : null);
  }

  /** All time-outs are equal and a Map keeps their order, so the sweep ends at the first one that is not due. */
  private sweep(): void {
    const nowMs = Date.now();
    for (const [token, waiting] of this.waiting) {
      if (waiting.deadlineMs > nowMs) return;
      this.settle(token, { ...waiting, result: null });
    }
  }
}

/** A reply without data means that nothing listens on the subject. */
function isStored(msg: Msg): boolean {
  return msg.data.length > 0 && !('error' in msg.json<object>());
}
