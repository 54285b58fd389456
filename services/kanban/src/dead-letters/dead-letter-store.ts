import { DeliverPolicy, type JsMsg, jetstream, type StoredMsg } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { type Bus, headerValues, managerOf } from '@tps/bus';
import {
  type ErrorClass,
  type DeadMessage,
  DEAD_LETTER_HEADERS,
  type DeadLetterFilter,
  DEAD_LETTERS_MAX_LIMIT,
  type DeadLetterStatus,
  type DeadLetterView,
  parseDeadMessage,
  type ReplyOf,
  type RequestOf,
  WIRE_VERSION,
} from '@tps/contracts';

/** The facts of a dead letter, without its contents. */
export interface DeadLetterEntry {
  seq: number;
  id: string;
  run: number;
  type: string;
  status: DeadLetterStatus;
  class?: ErrorClass | undefined;
  fingerprint?: string | undefined;
  deadMs: number;
}

/** A dead letter as the stream has it. */
export interface StoredDeadLetter {
  body: DeadMessage;
  traceparent: string | undefined;
}

/** A request to delete dead letters has no filter. Nobody means to delete all of them at once. */
class MissingFilterError extends Error {
  override readonly name = 'MissingFilterError';
}

const BATCH = 500;
const BATCH_WAIT_MS = 1_000;
const CONCURRENCY = 16;
const PURGE_LIMIT_MS = 8_000;

/**
 * Indexes the stream DEAD. It keeps the headers of all dead letters in memory (about 200 bytes each, and the stream is
 * bounded), and reads contents on demand. Before every answer it asks the stream for changes, so that a replica sees the
 * changes of another one at once, and an idle replica follows nothing.
 */
export class DeadLetterStore {
  private entries: DeadLetterEntry[] = [];
  private readTo = 0;
  /** Creation time of the stream that was read. */
  private created = '';
  private reading: Promise<void> = Promise.resolve();
  private readonly stream: string;

  constructor(private readonly bus: Bus) {
    this.stream = bus.names.streams.dead;
  }

  /** Dead letters that match a filter, oldest first. */
  async find(filter: DeadLetterFilter): Promise<DeadLetterEntry[]> {
    await this.refresh();
    return this.entries.filter(matcher(filter));
  }

  /** One page, newest first. */
  async list({ filter, limit, cursor }: RequestOf<'deadLetters'>): Promise<ReplyOf<'deadLetters'>> {
    const all = await this.find(filter);
    const before = cursor === undefined ? Infinity : Number(cursor);
    const rest = all.filter(({ seq }) => seq < before);
    const page = rest.slice(-Math.min(limit, DEAD_LETTERS_MAX_LIMIT)).reverse();
    const views = await inGroups(page, (entry) => this.view(entry));
    const items = views.flatMap((view) => (view ? [summaryOf(view)] : []));
    const last = page.at(-1);
    return { items, next: last && page.length < rest.length ? String(last.seq) : null, total: all.length };
  }

  /** The dead letter of a signal's latest run. */
  async ofSignal(id: string): Promise<DeadLetterEntry | undefined> {
    await this.refresh();
    return this.entries.findLast((entry) => entry.id === id);
  }

  /** The dead letter of a signal's latest run, with its contents. */
  async get(id: string): Promise<DeadLetterView | null> {
    const entry = await this.ofSignal(id);
    return entry ? this.view(entry) : null;
  }

  /** Reads a dead letter; null if it no longer exists. */
  async read(seq: number): Promise<StoredDeadLetter | null> {
    const jsm = await managerOf(this.bus);
    const message = await jsm.streams.getMessage(this.stream, { seq });
    return message && stored(message);
  }

  /** Deletes the dead letters that match a filter, for eight seconds at most. @throws MissingFilterError */
  async purge(filter: DeadLetterFilter): Promise<ReplyOf<'purge'>> {
    if (Object.keys(filter).length === 0)
      throw new MissingFilterError('deleting dead letters needs a filter');
    const until = Date.now() + PURGE_LIMIT_MS;
    const found = await this.find(filter);
    let deleted = 0;
    for (let from = 0; from < found.length && Date.now() < until; from += CONCURRENCY) {
      const some = found.slice(from, from + CONCURRENCY);
      await Promise.all(some.map(({ seq }) => this.remove(seq)));
      deleted += some.length;
    }
    return { deleted, remaining: found.length - deleted };
  }

  /** Deletes one dead letter; it may be gone already. */
  async remove(seq: number): Promise<void> {
    const jsm = await managerOf(this.bus);
    try {
      await jsm.streams.deleteMessage(this.stream, seq, false);
    } catch (error) {
      // Ignore the error if somebody else was faster.
      if (await jsm.streams.getMessage(this.stream, { seq })) throw error;
    }
    const at = this.entries.findIndex((entry) => entry.seq === seq);
    if (at >= 0) this.entries.splice(at, 1);
  }

  /** Readings happen one after the other, so that every caller sees what was written before its call. */
  private refresh(): Promise<void> {
    this.reading = this.reading.catch(() => undefined).then(() => this.readNew());
    return this.reading;
  }

  private async readNew(): Promise<void> {
    const jsm = await managerOf(this.bus);
    const { state, created } = await jsm.streams.info(this.stream);
    this.entries = this.entries.filter(({ seq }) => seq >= state.first_seq);
    // The broker came back without the stream, or with an older copy.
    if (created !== this.created || state.last_seq < this.readTo) this.forget();
    this.created = created;
    if (state.last_seq > this.readTo) await this.readFrom(this.readTo + 1);
    // Another replica has deleted dead letters. Only reading again tells which.
    if (this.entries.length !== state.messages && this.readTo <= state.last_seq) {
      this.forget();
      await this.readFrom(1);
    }
    this.readTo = Math.max(this.readTo, state.last_seq);
  }

  private forget(): void {
    this.entries = [];
    this.readTo = 0;
  }

  private async readFrom(seq: number): Promise<void> {
    const consumer = await jetstream(this.bus.nc).consumers.get(this.stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: seq,
      headers_only: true,
    });
    try {
      for (let left = (await consumer.info(true)).num_pending; left > 0;) {
        const batch = await consumer.fetch({ max_messages: BATCH, expires: BATCH_WAIT_MS });
        let got = 0;
        for await (const message of batch) {
          got += 1;
          left = message.info.pending;
          await this.index(message);
          if (left === 0) break;
        }
        if (got === 0) return;
      }
    } finally {
      await consumer.delete().catch(() => false);
    }
  }

  private async index({ seq, subject, headers, time }: JsMsg): Promise<void> {
    const type = subject.slice(this.bus.names.subjects.dead('').length);
    this.readTo = seq;
    const facts = factsOf(headers) ?? factsIn(await this.read(seq));
    this.entries.push({ seq, type, deadMs: time.getTime(), ...facts });
  }

  private async view(entry: DeadLetterEntry): Promise<DeadLetterView | null> {
    const deadLetter = await this.read(entry.seq);
    return deadLetter && viewOf(entry, deadLetter);
  }
}

/** Tests dead letters against a filter. */
function matcher(filter: DeadLetterFilter): (entry: DeadLetterEntry) => boolean {
  const { type, status, class: errorClass, fingerprint, since, until, ids } = filter;
  const fromMs = since === undefined ? -Infinity : Date.parse(since);
  const toMs = until === undefined ? Infinity : Date.parse(until);
  const wanted = ids && new Set(ids);
  return (entry) =>
    (type === undefined || entry.type === type) &&
    (status === undefined || entry.status === status) &&
    (errorClass === undefined || entry.class === errorClass) &&
    (fingerprint === undefined || entry.fingerprint === fingerprint) &&
    entry.deadMs >= fromMs &&
    entry.deadMs < toMs &&
    (!wanted || wanted.has(entry.id));
}

async function inGroups<T, R>(items: T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += CONCURRENCY) {
    results.push(...(await Promise.all(items.slice(from, from + CONCURRENCY).map(run))));
  }
  return results;
}

type Facts = Pick<DeadLetterEntry, 'id' | 'run' | 'status' | 'class' | 'fingerprint'>;

function factsOf(headers: MsgHdrs | undefined): Facts | null {
  const value = (name: string): string | undefined => headerValues(headers, name)[0];
  const id = value(DEAD_LETTER_HEADERS.id);
  const status = value(DEAD_LETTER_HEADERS.status);
  if (!id || !status) return null;
  return {
    id,
    run: Number(value(DEAD_LETTER_HEADERS.run) ?? 0),
    status: status as DeadLetterStatus,
    class: value(DEAD_LETTER_HEADERS.errorClass) as ErrorClass | undefined,
    fingerprint: value(DEAD_LETTER_HEADERS.fingerprint),
  };
}

/** The facts of a dead letter of an earlier version, which has no headers. */
function factsIn(deadLetter: StoredDeadLetter | null): Facts {
  const body = deadLetter?.body;
  if (!body || 'invalid' in body) {
    return { id: body?.subject.split('.').at(-1) ?? '', run: 0, status: 'invalid' };
  }
  const { signal_id, run, status, error_class, fingerprint } = body.outcome;
  return { id: signal_id, run, status: status as DeadLetterStatus, class: error_class, fingerprint };
}

function stored(message: StoredMsg): StoredDeadLetter {
  const traceparent = headerValues(message.header, 'traceparent')[0];
  try {
    return { body: parseDeadMessage(message, `dead letter ${message.seq}`), traceparent };
  } catch {
    const data = Buffer.from(message.data).toString('base64');
    return { body: { v: WIRE_VERSION, invalid: true, subject: message.subject, data }, traceparent };
  }
}

function viewOf(
  { id, run, type, status, deadMs }: DeadLetterEntry,
  { body, traceparent }: StoredDeadLetter,
): DeadLetterView {
  const head = { signal_id: id, run, signal_type: type, status, dead_at: new Date(deadMs).toISOString() };
  if ('invalid' in body) return { ...head, message: 'no worker could read it', data: body.data };
  const { signal, outcome } = body;
  const { error_class, fingerprint, message, attempt, trace_id, enqueued_at } = outcome;
  return {
    ...head,
    priority: signal.priority,
    ...(error_class ? { error_class } : {}),
    ...(fingerprint ? { fingerprint } : {}),
    message,
    attempt,
    trace_id,
    enqueued_at,
    payload: signal.payload,
    timeout_ms: signal.timeout_ms,
    created_at: signal.created_at,
    outcome,
    ...(traceparent ? { traceparent } : {}),
  };
}

function summaryOf(view: DeadLetterView): DeadLetterView {
  const {
    payload: _p,
    timeout_ms: _t,
    created_at: _c,
    outcome: _o,
    data: _d,
    traceparent: _tp,
    ...summary
  } = view;
  return summary;
}
