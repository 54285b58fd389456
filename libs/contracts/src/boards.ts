import type { CircuitState } from './circuit';
import type { ServiceName } from './fleet';
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
  /** Second final outcomes of a run. */
  superseded: number;
  types: Record<string, Counts & { work: DurationFigures; wait: DurationFigures }>;
  /** When the first outcome that is counted here was recorded; null before there is one. */
  since: string | null;
  /** Place in the log up to which outcomes are counted. */
  position: number;
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
  /** Percent, over the last five minutes. */
  error_rate: number;
  p99_ms: number;
  processed_5m: number;
  circuit: CircuitState;
}

export interface StationStatus {
  colour: Colour;
  up: boolean;
  replicas: number;
}

export interface AndonBoard {
  v: number;
  /** The worst of all. */
  colour: Colour;
  lines: Record<string, LineStatus>;
  stations: Record<ServiceName, StationStatus>;
}

/** A line or station changed colour: one event of the stream ANDON. A station's line is `station:<service>`. */
export interface AndonEvent {
  v: number;
  id: string;
  at: string;
  line: string;
  colour: Colour;
  was: Colour;
  rule: string;
  reason: string;
  trace_id?: string;
  by: string;
}

export interface HeijunkaBoard {
  v: number;
  schedule: ScheduleRecord | null;
  demand: Record<string, { arrivals_per_s: number; backlog: number; weight: number }>;
  /** Available time over demand: how often one must be finished. Null without demand. */
  takt_ms: Record<string, number | null>;
  /** Mean work of the last five minutes. */
  cycle_ms: Record<string, number>;
  /** Busy slots over all slots, 0 to 1. */
  utilisation: number;
  /** Worker processes that the present demand needs; null while nobody says how many slots one has. */
  workers_needed: number | null;
  distribution: Record<string, { slots: number; busy: number; started: number; share: number }>;
}

export interface LaneStatus {
  type: string;
  priority: number;
  waiting: number;
  /** In a worker's hands, started or not. */
  in_progress: number;
}

export interface KanbanBoard {
  v: number;
  /** Accepted and unfinished. */
  queue_depth: number;
  /** TPS_KANBAN_BUFFER. */
  buffer: number;
  lanes: Record<string, LaneStatus>;
  /** In the stream but in no lane's books: must be 0. */
  stranded: number;
}

export interface JidokaBoard {
  v: number;
  circuits: Record<
    string,
    { state: CircuitState; reason: string; since: string; epoch: number; until?: string; trace_id?: string }
  >;
}
