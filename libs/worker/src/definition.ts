import type { Span } from '@opentelemetry/api';
import type { Static, TSchema } from '@sinclair/typebox';
import type { Priority, RetryPolicy } from '@tps/contracts';
import type { Registry } from 'prom-client';

/** What a handler may know of the signal it works on. */
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

export interface HandlerContext {
  signal: SignalInfo;
  /** When the attempt's time is up, in milliseconds since 1970: by the type's time-out or by the signal's own deadline. */
  endsAtMs: number;
  /** Aborted when the attempt's time is up or the process must end; what a handler does after that is ignored. */
  abort: AbortSignal;
  /** Logs with the signal's and the trace's id. */
  log: HandlerLog;
  /** The span `worker.process`, for attributes and events of one's own. */
  span: Span;
  /** Metrics registered here are served with the worker's own. */
  metrics: Registry;
}

/**
 * One signal type. Handlers run at least once: make effects idempotent by the signal's id.
 *
 * What `run` returns becomes the outcome's `result` (JSON, at most 256 KiB). What it throws decides what follows:
 * `RejectedError` ends the signal as the sender's fault, a programming error or `DefectError` fails it at once, and
 * anything else is transient and tried again by the retry policy. `CapacityError` gives the signal back unharmed.
 */
export interface SignalDefinition<I extends TSchema = TSchema, O extends TSchema = TSchema> {
  /** `[a-z][a-z0-9_-]{0,47}` */
  name: string;
  /** Checked at the gateway, before anything is accepted. */
  input?: I;
  /** A result outside of it is a defect. */
  output?: O;
  /** Limit of one attempt in milliseconds. Default 30000. */
  timeoutMs?: number;
  /** What one signal should take, in milliseconds. */
  standardMs?: number;
  /** Default: TPS_MAX_ATTEMPTS attempts, backoff from 200 ms, never above 30 s. */
  retry?: Partial<RetryPolicy>;
  /** The outcome's message on success. */
  success?: string;
  run(input: Static<I>, context: HandlerContext): Promise<Static<O>> | Static<O>;
}

/** Thrown at the start of a worker whose definition of a signal type cannot be served; the message says why. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError';
}

/** Types the handler's input and output by its schemas. */
export function defineSignal<I extends TSchema, O extends TSchema>(
  definition: SignalDefinition<I, O>,
): SignalDefinition {
  return definition;
}
