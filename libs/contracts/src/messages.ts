import type { Outcome, Signal } from './signal';
import type { ServiceName } from './fleet';

/** gateway -> jidoka: may signals of this type enter? */
export interface AdmitRequest {
  id: string;
  signal_type: string;
  /** Nobody waits for its outcome: it may be kept while its line is stopped. */
  async?: true;
}

export type AdmitVerdict =
  | { ok: true }
  | {
      ok: false;
      code: 'CIRCUIT_OPEN' | 'LINE_STOPPED';
      reason: string;
      retry_after_ms: number;
      /** What a person acknowledges or resumes. */
      andon_id?: string;
    };

/** gateway -> kanban: `accepted` is said truthfully, `unknown` when an append may have arrived. */
export type EnqueueVerdict =
  | { ok: true; duplicate?: true }
  | {
      ok: false;
      code: 'KANBAN_FULL' | 'NO_BROKER';
      reason: string;
      retry_after_ms: number;
      accepted: false | 'unknown';
    };

/** Answer of a batched request when every item is fine: saves the array on the ordinary path. */
export const ALL_FINE = 1;

/** worker -> jidoka: permission to run one signal of a stopped type. */
export interface TrialRequest {
  signal_type: string;
  worker_id: string;
}
export type TrialGrant = { granted: true; epoch: number; deadline: string } | { granted: false };

/** worker -> kanban, before it begins to pull: a pull from a lane that is not there is answered by nobody. */
export interface LanesRequest {
  types: string[];
}
export interface LanesReply {
  ready: boolean;
}

/** A signal that is accepted and not finished, as kanban finds it. */
export interface FoundSignal {
  signal: Signal;
  stream_seq: number;
  accepted_at: string;
  /** `running` when a worker has started it. */
  running: boolean;
  worker_id?: string;
  /** The trace it came with. */
  trace_id?: string;
}
export interface FindRequest {
  id: string;
}
export type FindReply = { found: FoundSignal | null };

/** gateway -> kanban: at most `SIGNALS_MAX_LIMIT` ids. */
export interface OpenRunsRequest {
  ids: string[];
}
export interface OpenRunsReply {
  /** By id; what is finished or unknown is absent. */
  runs: Record<string, number>;
}

export interface CancelRequest {
  id: string;
  by?: string;
}
export type CancelReply =
  | {
      cancelled: true;
      outcome: Outcome;
    } /** `unavailable`: not every worker said that it has not started it; nothing was removed. */
  | { cancelled: false; reason: 'not_found' | 'started' | 'unavailable' };

/** Broadcast to workers: every worker answers, so that silence is not taken for "no". */
export interface HoldsRequest {
  /** Absent: whatever it has started. */
  id?: string;
  /** With `refuse`: this run and those before; a later one is taken. Absent: every run. */
  run?: number;
  /** With `refuse`: it was not taken out after all, take it again. */
  undo?: boolean;
}
export interface HoldsReply {
  worker_id: string;
  state: 'none' | 'waiting' | 'started';
  /** Without an `id`: the signals it has started. */
  started?: string[];
}

export interface LookupRequest {
  ids: string[];
  /** Hold the answer until every id has a final outcome, at most this long. */
  wait_ms?: number;
}
/** What the log holds of a signal, oldest first; the first final outcome of each run counts. */
export interface SignalRecord {
  id: string;
  outcomes: Outcome[];
}
export interface LookupReply {
  /** One per id that the log knows, in the order asked. */
  records: SignalRecord[];
  /** Ids whose records did not fit into one message beside the others: ask again for these. */
  left_out?: string[];
}
/** At most so many ids in one request, and so long a wait. */
export const LOOKUP_MAX_IDS = 256;
export const LOOKUP_MAX_WAIT_MS = 25_000;

export const REPORT_FORMATS = ['json', 'markdown', 'csv'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];
/** worker -> kaizen: a production report. */
export interface ReportRequest {
  format: ReportFormat;
  /** Only what was recorded in the last so many milliseconds; by default all that is known. */
  since_ms?: number;
}
export interface ReportReply {
  format: ReportFormat;
  /** An object for `json`, text for the others. */
  content: object | string;
  generated_at: string;
}

/** Every process says once a second that it lives, whether it is ready, and its vital figures. */
export interface Beat<V = Record<string, unknown>> {
  v: number;
  service: ServiceName;
  instance: string;
  started_at: string;
  at: string;
  ready: boolean;
  /** It stops, and finishes what it has. */
  leaving?: true;
  vitals: V;
}
export interface WorkerVitals {
  slots: number;
  busy: number;
  types: string[];
  /** Signals started since the process began. */
  started: number;
  /** Signals in its hands by type, started or not; types without any are absent. */
  in_hand: Record<string, number>;
}
export interface KanbanVitals {
  /** Accepted and unfinished, what waits on the backup included. */
  queue_depth: number;
  buffer: number;
  /** With a backup configured. */
  backup?: DrainVitals;
}
/** What one kanban process knows of the backup; only one at a time is given anything. */
export interface DrainVitals {
  /** Connected to RabbitMQ. */
  reachable: boolean;
  /** JetStream took what it was given last. */
  appends: boolean;
  on_backup: number;
  /** Since the process began. */
  reconciled: number;
  duplicates_suppressed: number;
}
export interface GatewayVitals {
  /** Callers that wait for an outcome. */
  waiting: number;
  /** With a backup configured: new signals go there without asking kanban. */
  backup?: { active: boolean };
}

/** Arrivals since the announcement before, and what waits, per lane. */
export interface ArrivalsMessage {
  v: number;
  instance: string;
  interval_ms: number;
  arrivals: Record<string, number>;
  waiting: Record<string, number>;
}

/** heijunka -> workers (KV `tps_schedule`, key `schedule`): the weight of each lane in the smooth sequence. */
export interface ScheduleRecord {
  v: number;
  /** Share of each priority class while it has work: 8:4:2:1. */
  classes: Record<string, number>;
  /** Relative demand of each type inside its class. */
  demand: Record<string, number>;
  /** Cards that the kanban formula asks for, of the types whose figures are known. */
  cards?: Record<string, number>;
  updated_at: string;
}
export const SCHEDULE_KEY = 'schedule';
