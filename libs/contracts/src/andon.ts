import type { Colour } from './boards';
import type { Stop } from './circuit';
import type { ServiceName } from './fleet';

/**
 * A call for help on a line: by a person at the cord, or by the system itself. It is open until somebody resumes the
 * line and says what was done.
 */
export interface AndonCall {
  id: string;
  /** A signal type, or `station:<service>`. */
  line: string;
  /** `call`: work goes on, until `respond_by`. `stop`: the line stands still. */
  mode: 'call' | 'stop';
  /** What made the call: `cord`, or the rule of the light or circuit that did. */
  rule: string;
  reason: string;
  by: string;
  opened_at: string;
  /** Not acknowledged by then, a call becomes a stop: by the clock alone, so that no dead service delays it. */
  respond_by?: string;
  /** `hold`: signals of the stopped line that nobody waits for are accepted and kept. */
  intake: 'refuse' | 'hold';
  owner?: string;
  acknowledged_at?: string;
  escalated_at?: string;
  /** In the answer to who resumed it: an open call has neither. */
  countermeasure?: string;
  resumed_at?: string;
  fingerprint?: string;
  trace_id?: string;
  /** The latest call with the same fingerprint that was resumed before: its countermeasure did not hold. */
  recurrence_of?: string;
  /** How many calls with this fingerprint were resumed before. */
  recurrences: number;
}

/** A call that is over, as the line remembers it. */
export interface ResolvedCall {
  id: string;
  fingerprint?: string;
  owner: string;
  countermeasure: string;
  resumed_at: string;
}

/**
 * What `tps_stops` holds of a line: the call that is open, and when people had it stopped. andon writes it, by
 * compare-and-set; a line runs only if this record and its circuit both allow it.
 */
export interface StopRecord {
  v: number;
  line: string;
  call?: AndonCall;
  /** As in the circuit's record. */
  stops: Stop[];
  /** Latest last. */
  resolved: ResolvedCall[];
  /** Events of this record that the stream ANDON does not have yet: whoever lives writes them. */
  unlogged: AndonEvent[];
}

export const ANDON_EVENTS = ['changed', 'pulled', 'acknowledged', 'escalated', 'resumed'] as const;
/** `changed`: the light changed by its rules. The others are what people did, or what followed because nobody did. */
export type AndonEventKind = (typeof ANDON_EVENTS)[number];

/** One event of the stream ANDON, and one item of the history. */
export interface AndonEvent {
  v: number;
  /** The call's, or that of the time since the line was GREEN: what acknowledging and resuming take. */
  id: string;
  event: AndonEventKind;
  at: string;
  /** A signal type, or `station:<service>`. */
  line: string;
  colour: Colour;
  was: Colour;
  rule: string;
  reason: string;
  trace_id?: string;
  by: string;
  owner?: string;
  countermeasure?: string;
  fingerprint?: string;
  recurrence_of?: string;
  recurrences?: number;
  /** `resumed`: how long the call waited for an owner, and until the line ran again. */
  acknowledge_ms?: number;
  restore_ms?: number;
}

/** gateway -> andon: somebody pulls the cord. */
export interface PullRequest {
  signal_type: string;
  mode: AndonCall['mode'];
  reason: string;
  by: string;
  /** How long a call waits for somebody to acknowledge it, in milliseconds. Default: TPS_ANDON_RESPOND_MS. */
  respond_within_ms?: number;
  intake?: AndonCall['intake'];
}
export interface AcknowledgeRequest {
  id: string;
  owner: string;
}
export interface ResumeRequest {
  id: string;
  owner: string;
  countermeasure: string;
}
/** `unavailable`: it could not be done now; nothing was changed. */
export type CallReply =
  { call: AndonCall } | { refused: 'not_found' | 'closed' | 'unavailable'; reason: string };

/** andon -> jidoka: a person starts the line again, whatever its circuit says. */
export interface ResumeCircuitRequest {
  signal_type: string;
  reason: string;
}
export interface ResumeCircuitReply {
  resumed: boolean;
}

/** gateway -> andon: a page of the history, newest first. */
export interface HistoryRequest {
  line?: string;
  colour?: Colour;
  event?: AndonEventKind;
  rule?: string;
  id?: string;
  since?: string;
  until?: string;
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
}
export interface HistoryReply {
  items: AndonEvent[];
  /** Null on the last page. */
  next: string | null;
}

export interface AndonVitals {
  colour: Colour;
  missed: Missed[];
}

/** A process that fell silent without a farewell, and in whose place none has come. */
export interface Missed {
  service: ServiceName;
  instance: string;
  /** For how long, in milliseconds. */
  ms: number;
}
