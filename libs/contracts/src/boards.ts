import type { AndonCall } from './andon';
import type { CircuitState } from './circuit';
import type { ServiceName } from './fleet';
import type { TypeCards } from './limits';
import type { ScheduleRecord } from './messages';

/** Answers to a request on `subjects.board(service)`, one interface a service. */

/** In no total and no rate: no work of these was finished, well or badly. */
interface CountedApart {
  rejected: number;
  expired: number;
  cancelled: number;
  /** Attempts that failed and were tried again. */
  retried: number;
}

interface Counts extends CountedApart {
  /** Succeeded and failed. */
  total_processed: number;
  success_count: number;
  error_count: number;
  /** Percent of `total_processed`. */
  error_rate: number;
}

export interface DurationFigures {
  avg_ms: number;
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
  max_ms: number;
}

export interface KaizenBoard extends Counts {
  v: number;
  avg_duration_ms: number;
  p95_duration_ms: number;
  p99_duration_ms: number;
  /** The same over the last five minutes. */
  error_rate_5m: number;
  /** Share of the work in work and waiting together. */
  flow_efficiency_percent: number;
  /** Second final outcomes of a run. */
  superseded: number;
  types: Record<
    string,
    Counts & { flow_efficiency_percent: number; work: DurationFigures; wait: DurationFigures }
  >;
  /** When the first outcome that is counted here was recorded; null before there is one. */
  since: string | null;
  /** Place in the log up to which outcomes are counted. */
  position: number;
}

/** Why something is worth improving; the thresholds are kaizen's (`suggestions.ts`). */
export const SUGGESTION_RULES = ['failures', 'expiry', 'rework', 'rejects', 'waiting'] as const;
export type SuggestionRule = (typeof SUGGESTION_RULES)[number];

/** What kaizen would improve on a type, with the facts behind it. */
export interface Suggestion {
  signal_type: string;
  rule: SuggestionRule;
  /** Percent up to which it is all right, and what it was. */
  standard: number;
  actual: number;
  /** How many signals (`rework`: attempts) it is about. */
  signals: number;
  finding: string;
  suggestion: string;
  /** One to look at. */
  trace_id?: string;
}
/** Answer of `subjects.suggestions`. */
export interface SuggestionsReply {
  v: number;
  generated_at: string;
  /** What lies before is not looked at. */
  from: string;
  /** Most important first. */
  items: Suggestion[];
}

export const COLOURS = ['GREEN', 'YELLOW', 'RED'] as const;
export type Colour = (typeof COLOURS)[number];

export interface LineStatus {
  colour: Colour;
  /** The rule that gave the colour; `within_limits` when none is broken. */
  rule: string;
  reason: string;
  since: string;
  trace_id?: string;
  /** What to acknowledge or resume; absent on a line that is GREEN and was not called on. */
  andon_id?: string;
  /** Percent, over the last five minutes. */
  error_rate: number;
  p99_ms: number;
  processed_5m: number;
  /** Finished per second, over the last ten seconds. */
  rate_per_s: number;
  /** Of the circuit and the people together. */
  circuit: CircuitState;
  /** A person or a call that nobody answered has it stopped. */
  stopped: boolean;
  /** Accepted and unfinished; `held` of these wait for the line to start again. Null while kanban does not answer. */
  queue: { waiting: number; in_progress: number; held: number } | null;
  /** What bounds the work in progress; null while nothing bounds it, or kanban does not answer. */
  cards: { limit: number; in_use: number } | null;
}

/** One process of a service. */
export interface Replica {
  instance: string;
  ready: boolean;
  started_at: string;
  /** Since it was last heard, in milliseconds. */
  silent_ms: number;
}

export interface StationStatus {
  colour: Colour;
  rule: string;
  reason: string;
  since: string;
  andon_id?: string;
  up: boolean;
  /** Ready ones. */
  replicas: number;
  instances: Replica[];
}

/** An open call with its age. */
export interface OpenCall extends AndonCall {
  age_ms: number;
  /** The line stands still because of it. */
  stopped: boolean;
}

export interface AndonBoard {
  v: number;
  at: string;
  /** The worst of all. */
  colour: Colour;
  lines: Record<string, LineStatus>;
  stations: Record<ServiceName, StationStatus>;
  /** Open calls, oldest first. */
  calls: OpenCall[];
  /** How people answered the calls that were resumed, as far back as the history goes. */
  answers: { calls: number; mean_acknowledge_ms: number | null; mean_restore_ms: number | null };
  /** Sequence of the latest event in the history that this takes into account. */
  position: number;
}

export interface HeijunkaBoard {
  v: number;
  schedule: ScheduleRecord | null;
  demand: Record<string, { arrivals_per_s: number; backlog: number; weight: number }>;
  /** Signals that may start per second, of types that people levelled. */
  max_per_s: Record<string, number>;
  /** Available time over demand: how often one must be finished. Null without demand. */
  takt_ms: Record<string, number | null>;
  /** Mean work of the last five minutes. */
  cycle_ms: Record<string, number>;
  /** Busy slots over all slots, 0 to 1. */
  utilisation: number;
  /** Worker processes that the present demand needs; null while nobody says how many slots one has. */
  workers_needed: number | null;
  /** Work over workers. `share`: of the signals finished in the last five minutes. */
  distribution: Record<string, { slots: number; busy: number; started: number; share: number }>;
  /** 1 when each worker finished as much as its share of the slots; null while none finished anything. */
  evenness: number | null;
}

export interface LaneStatus {
  type: string;
  priority: number;
  waiting: number;
  /** In a worker's hands, started or not; or to be tried again after a pause. */
  in_progress: number;
  /** Cards of the type: they bound what is in progress over all its lanes. */
  cards: number;
  /** How many wait for the line to start again; of `in_progress` too, what is to be tried again and nobody has. */
  held: number;
  /** Since the oldest unfinished signal was accepted; null when there is none. */
  oldest_age_ms: number | null;
}

export interface TypeInProgress extends TypeCards {
  waiting: number;
  in_progress: number;
  /** Who has signals of the type in hand, as of its last beat, and who holds how many cards of a limited type. */
  holders: Record<string, { in_hand: number; cards?: number }>;
}

export interface KanbanBoard {
  v: number;
  /** Accepted and unfinished. */
  queue_depth: number;
  /** TPS_KANBAN_BUFFER. */
  buffer: number;
  lanes: Record<string, LaneStatus>;
  types: Record<string, TypeInProgress>;
  /** In the stream but in no lane's books: must be 0. */
  stranded: number;
  backup: BackupStatus;
}

/** RabbitMQ as the place for signals that NATS cannot take. Counts are those of the kanban processes that live. */
export interface BackupStatus {
  /** RABBITMQ_URL is set. */
  configured: boolean;
  reachable: boolean;
  /** A gateway puts new signals there. */
  active: boolean;
  on_backup: number;
  /** Moved from the backup into the queue. */
  reconciled: number;
  /** Signals that were on the backup although the queue or the records had them already. */
  duplicates_suppressed: number;
}

export interface JidokaBoard {
  v: number;
  circuits: Record<
    string,
    {
      /** Of the circuit and the people together. */
      state: CircuitState;
      reason: string;
      since: string;
      epoch: number;
      until?: string;
      trace_id?: string;
      andon_id?: string;
      /** Only a person starts it again. */
      latched: boolean;
      /** Stopped by a person, whatever the circuit says. */
      stopped: boolean;
    }
  >;
}
