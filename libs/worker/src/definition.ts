import type { Span } from '@opentelemetry/api';
import type { Static, TSchema } from '@sinclair/typebox';
import type { Priority, RetryPolicy } from '@tps/contracts';
import type { Registry } from 'prom-client';

/** The signal that a handler works on. */
export interface SignalInfo {
  /** Idempotency key of every effect: the same for all attempts and runs. */
  id: string;
  run: number;
  /** 1 on the first try. */
  attempt: number;
  /** The trial of a stopped line: whether the line runs again depends on it. */
  trial: boolean;
  signal_type: string;
  priority: Priority;
  created_at: string;
  trace_id: string;
}

type WriteLine = (message: string, fields?: object) => void;

/** Logs of a handler, by level. */
export interface HandlerLog {
  error: WriteLine;
  warn: WriteLine;
  info: WriteLine;
  verbose: WriteLine;
  debug: WriteLine;
}

/** How a handler pulls the cord. */
export interface PullOptions {
  /** `call` (default): work goes on, and the line stops if nobody acknowledges in time. `stop`: the line stops now. */
  mode?: 'call' | 'stop';
}

/** What `run` gets beside its input. */
export interface HandlerContext {
  signal: SignalInfo;
  /** When the attempt ends, in milliseconds since 1970: at the type's time-out or at the signal's own deadline. */
  endsAtMs: number;
  /** Aborted when the attempt's time is up or the process must end; whatever the handler does after that is ignored. */
  abort: AbortSignal;
  /** Logs with the ids of the signal and of its trace. */
  log: HandlerLog;
  /** The span `worker.process`, for the handler's own attributes and events. */
  span: Span;
  /** Metrics registered here are served with the worker's own. */
  metrics: Registry;
  /**
   * Pulls the cord of this line: people are called, with this attempt's trace. Never rejects, and never changes the
   * outcome of the signal. A type pulls at most once in 10 s in each process; the line has one open call at a time.
   *
   * @param reason the problem, for people: at most 500 characters, the rest is cut off
   * @returns the id of the call, or null when none was made; the log says why
   */
  andon: (reason: string, options?: PullOptions) => Promise<string | null>;
}

/**
 * One signal type. Handlers run at least once: make effects idempotent by the signal's id.
 *
 * The return value of `run` becomes the outcome's `result` (JSON, at most 256 KiB). Its error decides what follows:
 * `RejectedError` ends the signal as the sender's fault, a programming error or `DefectError` fails it at once, and
 * anything else is transient and retried by the retry policy. `CapacityError` releases the signal, which costs no attempt.
 */
export interface SignalDefinition<I extends TSchema = TSchema, O extends TSchema = TSchema> {
  /** `[a-z][a-z0-9_-]{0,47}` */
  name: string;
  /** Checked at the gateway, before anything is accepted. */
  input?: I;
  /** A result that does not match it is a defect. */
  output?: O;
  /** Limit of one attempt in milliseconds. Default 30000. */
  timeoutMs?: number;
  /** Standard time of one signal, in milliseconds. */
  standardMs?: number;
  /**
   * How long a signal may wait, in milliseconds, before andon turns the line YELLOW; RED at 2.5 times as long. Default:
   * ten times `standardMs`, and 2000 at least.
   */
  maxWaitMs?: number;
  /**
   * How a transient failure is retried. A policy that names only `max_attempts` keeps the default backoff:
   *
   * - The sender waits for the outcome: 200 ms, doubling, up to 30 s, all of it random. 3 attempts take 0.3 s of backoff
   *   on average, at most 0.6 s.
   * - Nobody waits (`Prefer: respond-async`): 2 s, times 5, up to 5 minutes, half of it random. 3 attempts take 6 to 12 s,
   *   5 attempts 2.6 to 5.2 minutes. A backoff takes at most half of the time that is left of `timeout_ms`.
   *
   * A policy that names `base_ms`, `cap_ms`, `factor` (2 if absent) or `jitter` (1) holds for all signals of the type.
   * A type without `max_attempts` has `TPS_MAX_ATTEMPTS` (3).
   */
  retry?: Partial<RetryPolicy>;
  /** The outcome's message on success. */
  success?: string;
  run(input: Static<I>, context: HandlerContext): Promise<Static<O>> | Static<O>;
}

/** Thrown at the start of a worker that cannot serve a definition; the message says why. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError';
}

/** Types the handler's input and output by its schemas. */
export function defineSignal<I extends TSchema, O extends TSchema>(
  definition: SignalDefinition<I, O>,
): SignalDefinition {
  return definition;
}
