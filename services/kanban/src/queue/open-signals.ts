import type { StoredMsg } from '@nats-io/jetstream';
import { type Bus, headerValues, latestAttempt, managerOf } from '@tps/bus';
import {
  decodeSignal,
  type OpenSignal,
  type OpenStatus,
  type ReplyOf,
  type RequestOf,
  type Signal,
  SIGNALS_MAX_LIMIT,
} from '@tps/contracts';
import { type LineView } from '@tps/fleet';
import { traceIdIn } from '@tps/telemetry';
import type { InFlightSignals } from './in-flight-signals';

/** Messages that one page may read, so that a filter with few matches does not read the whole queue. */
const MAX_READ = 1_000;
const GROWTH = 8;

/** Lists accepted, unfinished signals from the queue, newest first. */
export class OpenSignals {
  constructor(
    private readonly bus: Bus,
    private readonly lines: LineView,
    private readonly inFlight: InFlightSignals,
  ) {}

  /** One page of the signals that match a filter. @throws RecordsUnavailableError */
  async page({
    type,
    status,
    since,
    limit,
    cursor,
  }: RequestOf<'openSignals'>): Promise<ReplyOf<'openSignals'>> {
    const wanted = Math.min(limit, SIGNALS_MAX_LIMIT);
    const fromMs = since === undefined ? -Infinity : Date.parse(since);
    const subject = this.bus.names.subjects.work(type ?? '*', '*', '*');
    const jsm = await managerOf(this.bus);
    const { state } = await jsm.streams.info(this.bus.names.streams.kanban);
    const started = await this.inFlight.started();
    const items: OpenSignal[] = [];
    let before = Math.min(cursor === undefined ? Infinity : Number(cursor), state.last_seq + 1);
    let span = wanted;
    for (let read = 0; before > state.first_seq && read < MAX_READ;) {
      const from = Math.max(state.first_seq, before - span);
      const found = await this.between({ from, before, subject }, 2 * wanted);
      if (!found) {
        span = Math.ceil((before - from) / GROWTH);
        continue;
      }
      read += found.length + 1;
      // Finished signals leave gaps of any size, so the next span is larger after a sparse one.
      if (found.length * 2 < wanted) span *= GROWTH;
      const recent = found.filter(({ time }) => time.getTime() >= fromMs);
      const views = await Promise.all(recent.map((message) => this.view(message, started)));
      const fitting = views.filter((view) => !status || status.includes(view.status)).reverse();
      const room = wanted - items.length;
      items.push(...fitting.slice(0, room).map(({ seq: _, ...view }) => view));
      if (fitting.length >= room) return { items, next: String(fitting[room - 1]!.seq) };
      if (recent.length < found.length) return { items, next: null };
      before = from;
    }
    return { items, next: before > state.first_seq ? String(before) : null };
  }

  /** The unfinished run of each of these signals, if there is one. */
  async runsOf(ids: readonly string[]): Promise<Record<string, number>> {
    const jsm = await managerOf(this.bus);
    const { streams, subjects } = this.bus.names;
    const runs = ids.slice(0, SIGNALS_MAX_LIMIT).map(async (id) => {
      const query = { last_by_subj: subjects.work('*', '*', id) };
      const message = await jsm.streams.getMessage(streams.kanban, query);
      return message ? [[id, shownOf(message).run] as const] : [];
    });
    return Object.fromEntries((await Promise.all(runs)).flat());
  }

  /** Messages in a range of sequences, oldest first; null if there are more than `most`. */
  private async between(
    { from, before, subject }: { from: number; before: number; subject: string },
    most: number,
  ): Promise<StoredMsg[] | null> {
    const jsm = await managerOf(this.bus);
    const found: StoredMsg[] = [];
    for (let seq = from; seq < before;) {
      const query = { seq, next_by_subj: subject };
      const message = await jsm.direct.getMessage(this.bus.names.streams.kanban, query).catch(() => null);
      if (!message || message.seq >= before) break;
      if (found.length >= most) return null;
      found.push(message);
      seq = message.seq + 1;
    }
    return found;
  }

  private async view(
    message: StoredMsg,
    started: Map<string, string>,
  ): Promise<OpenSignal & { seq: number }> {
    const { id, run, signal_type, priority, timeout_ms } = shownOf(message);
    const last = await latestAttempt(this.bus, { id, run });
    const worker_id = started.get(id);
    const isPaused = this.lines.state(signal_type) !== 'Closed';
    const waiting: OpenStatus = isPaused ? 'held' : last?.status === 'retrying' ? 'retrying' : 'queued';
    return {
      ...{ seq: message.seq, signal_id: id, run, signal_type, priority, timeout_ms },
      status: worker_id ? 'running' : waiting,
      attempt: last?.attempt ?? 0,
      enqueued_at: message.time.toISOString(),
      trace_id: traceIdIn(headerValues(message.header, 'traceparent')[0]) ?? '',
      ...(worker_id ? { worker_id } : {}),
      ...(last?.status === 'retrying' ? { message: last.message } : {}),
    };
  }
}

/** A message that no worker can read becomes a dead letter soon. Until then its subject tells the most important fields. */
function shownOf(message: StoredMsg): Pick<Signal, 'id' | 'run' | 'signal_type' | 'priority' | 'timeout_ms'> {
  const signal = decodeSignal(message);
  if (signal) return signal;
  const [signal_type = '', priority, id = ''] = message.subject.split('.').slice(-3);
  return { id, run: 0, signal_type, priority: Number(priority) as Signal['priority'], timeout_ms: 0 };
}
