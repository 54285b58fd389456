import type { Msg, Subscription } from '@nats-io/transport-node';
import { type Bus, connectBus, headerValues, type KvView, openView } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitVerdict,
  ALL_FINE,
  type AndonBoard,
  type BoardOf,
  type BOARDS as SHAPES,
  type CircuitRecord,
  type EnqueueVerdict,
  type Outcome,
  type ReplyOf,
  type Reach,
  type RequestOf,
  type ServiceName,
  SERVICES,
  type Signal,
  SUSPECT_HEADER,
  type TypeRecord,
  WIRE_VERSION,
} from '@tps/contracts';
import { sampleOutcome, waitFor } from '@tps/testkit';

const HEARTBEAT_MS = 250;

/** The behaviour of every part of the fleet, as a test sets it. */
export interface Behaviour {
  admit: (request: AdmitRequest) => AdmitVerdict;
  enqueue: (signal: Signal) => EnqueueVerdict | 'silence';
  /** The outcome of a signal; null while there is none. */
  work: (signal: Signal) => Partial<Outcome> | null;
  cancel: (id: string) => ReplyOf<'cancel'>;
}

const AT = '2026-01-25T12:00:00.000Z';
const STATION: AndonBoard['stations']['worker'] = {
  colour: 'GREEN',
  rule: 'within_limits',
  reason: 'ready',
  since: AT,
  up: true,
  replicas: 1,
  instances: [],
};

export const BOARDS: { [N in keyof typeof SHAPES]: BoardOf<N> } = {
  kanban: {
    v: 1,
    queue_depth: 7,
    buffer: 1000,
    lanes: {},
    types: {},
    stranded: 0,
    // It hears no gateway.
    backup: {
      configured: true,
      reachable: true,
      active: false,
      on_backup: 0,
      reconciled: 0,
      duplicates_suppressed: 0,
    },
  },
  kaizen: {
    v: 1,
    total_processed: 1000,
    success_count: 987,
    error_count: 13,
    error_rate: 1.3,
    avg_duration_ms: 42.5,
    p95_duration_ms: 78.2,
    p99_duration_ms: 105.6,
    error_rate_5m: 0.5,
    flow_efficiency_percent: 91,
    rejected: 1,
    expired: 0,
    cancelled: 0,
    retried: 0,
    superseded: 0,
    types: {},
    since: AT,
    position: 1001,
  },
  jidoka: { v: 1, circuits: {} },
  andon: {
    v: 1,
    at: AT,
    colour: 'RED',
    calls: [],
    position: 0,
    lines: {
      execute: {
        colour: 'RED',
        rule: 'circuit_open',
        reason: 'open',
        since: AT,
        error_rate: 0,
        p99_ms: 0,
        processed_5m: 0,
        rate_per_s: 0,
        circuit: 'Open',
        stopped: false,
        queue: null,
        cards: null,
      },
    },
    stations: Object.fromEntries(SERVICES.map((name) => [name, STATION])) as AndonBoard['stations'],
    answers: { calls: 0, mean_acknowledge_ms: null, mean_restore_ms: null },
  },
  heijunka: {
    v: 1,
    schedule: null,
    demand: {},
    max_per_s: {},
    takt_ms: {},
    cycle_ms: {},
    utilisation: 0,
    workers_needed: null,
    distribution: {},
    evenness: null,
  },
};

export const SUGGESTIONS = {
  v: 1,
  generated_at: '2026-01-25T12:00:00.000Z',
  from: '2026-01-25T11:00:00.000Z',
  items: [],
};

/** The rest of the fleet, small: it answers on the real subjects of a real broker. */
export class FakeFleet {
  readonly signals: { signal: Signal; traceparent: string; suspect: boolean }[] = [];
  readonly admitted: AdmitRequest[] = [];
  readonly records = new Map<string, Outcome[]>();
  reach: Reach | undefined;
  readonly unfinished = new Map<string, Signal>();
  private readonly subscriptions = new Map<ServiceName, Subscription[]>();
  private readonly silent = new Set<ServiceName>();
  private readonly beats: NodeJS.Timeout;
  behaviour: Behaviour = { ...STANDARD };

  private constructor(
    readonly bus: Bus,
    readonly types: KvView<TypeRecord>,
    readonly circuits: KvView<CircuitRecord>,
  ) {
    this.beats = setInterval(() => this.beat(), HEARTBEAT_MS);
    for (const service of SERVICES) this.arrive(service);
  }

  static async start(url: string): Promise<FakeFleet> {
    const bus = await connectBus({ url, name: 'fakes' });
    const options = { replicas: 1, onError: () => undefined };
    const types = await openView(bus, 'types', options);
    const circuits = await openView(bus, 'circuits', options);
    return new FakeFleet(bus, types, circuits);
  }

  async register(name: string, input_schema?: Record<string, unknown>): Promise<void> {
    const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
    const record: TypeRecord = {
      v: 1,
      name,
      timeout_ms: 30_000,
      retry,
      registered_at: new Date().toISOString(),
    };
    await this.types.put(name, input_schema ? { ...record, input_schema } : record);
  }

  reset(): void {
    this.behaviour = { ...STANDARD };
    this.reach = undefined;
    this.signals.length = this.admitted.length = 0;
    for (const service of SERVICES) if (this.silent.has(service)) this.arrive(service);
  }

  /** The service is gone: no responders, no beats. */
  leave(service: ServiceName): void {
    this.silent.add(service);
    for (const subscription of this.subscriptions.get(service) ?? []) subscription.unsubscribe();
    this.subscriptions.delete(service);
  }

  arrive(service: ServiceName): void {
    this.silent.delete(service);
    const { admit, enqueue, find, cancel, lookup, board, suggestions } = this.bus.names.subjects;
    const on = (subject: string, answer: (msg: Msg) => unknown): Subscription =>
      this.bus.nc.subscribe(subject, {
        callback: (_, msg) => {
          void Promise.resolve(answer(msg)).then((reply) => {
            if (reply !== undefined) msg.respond(JSON.stringify(reply));
          });
        },
      });
    const subscriptions =
      service in BOARDS ? [on(board(service), () => BOARDS[service as keyof typeof BOARDS])] : [];
    if (service === 'kaizen') subscriptions.push(on(suggestions, () => SUGGESTIONS));
    if (service === 'jidoka') subscriptions.push(on(admit, (msg) => this.admit(msg)));
    if (service === 'andon')
      subscriptions.push(on(lookup, (msg) => this.lookup(msg.json<RequestOf<'lookup'>>())));
    if (service === 'kanban') {
      subscriptions.push(on(enqueue, (msg) => this.enqueue(msg)));
      subscriptions.push(on(find, (msg) => this.find(msg.json<{ id: string }>().id)));
      subscriptions.push(on(cancel, (msg) => this.behaviour.cancel(msg.json<{ id: string }>().id)));
    }
    this.subscriptions.set(service, subscriptions);
  }

  /** SignalLookup the outcome as andon would, and tells the waiting gateway unless `told` is false. */
  finish(signal: Signal, given: Partial<Outcome> = {}, told = true): Outcome {
    const outcome = sampleOutcome({
      signal_id: signal.id,
      signal_type: signal.signal_type,
      priority: signal.priority,
      message: 'Execution successful',
      trace_id: this.signals.find((seen) => seen.signal.id === signal.id)?.traceparent.split('-')[1] ?? '',
      ...(signal.request_hash ? { request_hash: signal.request_hash } : {}),
      ...given,
    });
    this.records.set(signal.id, [...(this.records.get(signal.id) ?? []), outcome]);
    this.unfinished.delete(signal.id);
    if (told && signal.reply_to) this.bus.nc.publish(signal.reply_to, JSON.stringify([outcome]));
    return outcome;
  }

  async stop(): Promise<void> {
    clearInterval(this.beats);
    await this.bus.close();
  }

  private admit(msg: Msg): unknown {
    const requests = msg.json<AdmitRequest[]>();
    this.admitted.push(...requests);
    return fineOr(requests.map((request) => this.behaviour.admit(request)));
  }

  private enqueue(msg: Msg): unknown {
    const verdicts = msg.json<Signal[]>().map((signal, i) => {
      const verdict = this.behaviour.enqueue(signal);
      if (verdict === 'silence' || !verdict.ok || verdict.duplicate) return verdict;
      const traceparent = headerValues(msg.headers, 'traceparent')[i] ?? '';
      const suspect = headerValues(msg.headers, SUSPECT_HEADER)[i] === '1';
      this.signals.push({ signal, traceparent, suspect });
      this.unfinished.set(signal.id, signal);
      const outcome = this.behaviour.work(signal);
      if (outcome) this.finish(signal, outcome);
      return verdict;
    });
    return verdicts.includes('silence') ? undefined : fineOr(verdicts as EnqueueVerdict[]);
  }

  private find(id: string): unknown {
    const signal = this.unfinished.get(id);
    const rest = { stream_seq: 1, running: false, trace_id: 'a'.repeat(32) };
    return { found: signal ? { signal, accepted_at: signal.created_at, ...rest } : null };
  }

  private async lookup({ ids, wait_ms = 0 }: RequestOf<'lookup'>): Promise<unknown> {
    const final = (id: string): boolean => this.records.get(id)?.some((outcome) => outcome.final) ?? false;
    const until = { limitMs: Math.max(wait_ms, 1), everyMs: 10 };
    await waitFor('the outcomes', () => ids.every(final), until).catch(() => undefined);
    const records = ids.map((id) => ({ id, outcomes: this.records.get(id) ?? [] }));
    return { records, reach: this.reach };
  }

  private beat(): void {
    const at = new Date().toISOString();
    for (const service of SERVICES) {
      if (service === 'gateway' || this.silent.has(service) || !this.bus.connected) continue;
      const vitals =
        service === 'worker'
          ? { slots: 4, busy: 0, types: this.types.keys(), started: 0 }
          : { queue_depth: 7, buffer: 1000 };
      const beat = {
        v: WIRE_VERSION,
        service,
        instance: `${service}-1`,
        started_at: at,
        at,
        ready: true,
        vitals,
      };
      this.bus.nc.publish(this.bus.names.subjects.heartbeat(service), JSON.stringify(beat));
    }
  }
}

const STANDARD: Behaviour = {
  admit: () => ({ ok: true }),
  enqueue: () => ({ ok: true }),
  work: () => ({}),
  cancel: () => ({ cancelled: false, reason: 'not_found' }),
};

function fineOr(verdicts: { ok: boolean; duplicate?: boolean }[]): unknown {
  return verdicts.every((verdict) => verdict.ok && !verdict.duplicate) ? ALL_FINE : verdicts;
}
