import type { Span } from '@opentelemetry/api';
import { type ErrorClass, MAX_BODY_BYTES } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { Abort } from './abort';
import { isLonger } from './bytes';
import type { HandlerContext, SignalDefinition } from './definition';
import {
  AttemptTimeoutError,
  CapacityError,
  classify,
  DefectError,
  fingerprint,
  RejectedError,
  TransientError,
} from './failure';
import type { Held } from './held';

/** What one attempt came to. */
export type AttemptResult =
  /** `json`: the result as JSON, made once to check it and used in its outcome; absent for no result. */
  | { ok: true; result: unknown; json?: string }
  | {
      ok: false;
      errorClass: ErrorClass;
      message: string;
      fingerprint: string;
      stack?: string;
      retryAfterMs?: number;
      dependency?: string;
    };

/** The signal's own deadline came while its handler ran. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  constructor() {
    super("the signal's timeout_ms ran out while it was being processed");
  }
}

/** The process must end; the signal goes back to its lane and this attempt does not count. */
export class HandBackError extends Error {
  override readonly name = 'HandBackError';
}

export interface CompiledSignal extends SignalDefinition {
  timeoutMs: number;
  /** Faults of a result by the output schema, or null. */
  checkOutput: (result: unknown) => string | null;
}

const MAX_MESSAGE = 1_000;

/**
 * Runs a handler once. Ends when the handler ends, when the attempt's or the signal's time is up, or when `abort` is
 * aborted from outside (then it rejects with the HandBackError given as the reason). Rejects with the handler's
 * CapacityError, too: no attempt was made. A handler that ignores its AbortSignal is left behind: its result does not
 * count.
 *
 * A handler that answers without waiting for anything has its result at once: no time can be up meanwhile.
 *
 * @param deadlineMs when the signal's own time is up
 */
export function runAttempt(
  definition: CompiledSignal,
  input: unknown,
  context: HandlerContext,
  limits: { abort: Abort; deadlineMs: number },
): AttemptResult | Promise<AttemptResult> {
  try {
    const returned = definition.run(input, context);
    if (isPromise(returned)) return outcomeInTime(definition, returned, limits);
    return succeeded(definition, returned);
  } catch (error) {
    if (error instanceof CapacityError) return Promise.reject(error);
    return failed(error);
  }
}

async function outcomeInTime(
  definition: CompiledSignal,
  returned: PromiseLike<unknown>,
  { abort, deadlineMs }: { abort: Abort; deadlineMs: number },
): Promise<AttemptResult> {
  const left = deadlineMs - Date.now();
  const own = left > definition.timeoutMs;
  const limitMs = own ? definition.timeoutMs : Math.max(0, left);
  const timer = setTimeout(
    () => abort.abort(own ? new AttemptTimeoutError(limitMs) : new DeadlineError()),
    limitMs,
  );
  try {
    const result = await new Promise<unknown>((resolve, reject) => {
      abort.onAbort(reject);
      returned.then(resolve, reject);
    });
    return succeeded(definition, result);
  } catch (error) {
    if (error instanceof HandBackError || error instanceof CapacityError) throw error;
    return failed(error);
  } finally {
    clearTimeout(timer);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

export function handlerContext(
  { log, registry }: ServiceContext,
  { signal, epoch }: Held,
  { attempt, span, abort, endsAtMs }: { attempt: number; span: Span; abort: Abort; endsAtMs: number },
): HandlerContext {
  const trace_id = span.spanContext().traceId;
  const { id, run, signal_type, priority, created_at } = signal;
  const trial = epoch !== undefined;
  return {
    signal: { id, run, attempt, trial, signal_type, priority, created_at, trace_id },
    endsAtMs,
    get abort() {
      return abort.signal;
    },
    // Few handlers log, and a child costs as much as a small handler's whole work.
    get log() {
      return log.child({ signal_id: id, trace_id });
    },
    span,
    metrics: registry,
  };
}

/** @throws DefectError when the result is not what the definition promises */
function succeeded(definition: CompiledSignal, result: unknown): AttemptResult {
  const faults = definition.checkOutput(result);
  if (faults) throw new DefectError(`result of ${definition.name} breaks its output schema: ${faults}`);
  if (result === undefined) return { ok: true, result };
  const json = serialised(result);
  if (isLonger(json, MAX_BODY_BYTES)) {
    throw new DefectError(`result of ${definition.name} is larger than ${MAX_BODY_BYTES} bytes`);
  }
  return json ? { ok: true, result, json } : { ok: true, result: undefined };
}

function serialised(result: unknown): string {
  try {
    return JSON.stringify(result) ?? '';
  } catch (error) {
    throw new DefectError(`a result must be JSON: ${String(error)}`);
  }
}

function failed(error: unknown): AttemptResult {
  const errorClass = error instanceof DeadlineError ? 'capacity' : classify(error);
  const message =
    (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE) || 'unnamed error';
  const stack = error instanceof Error && !(error instanceof RejectedError) ? error.stack : undefined;
  const { retryAfterMs = 0, dependency } = error instanceof TransientError ? error : {};
  return {
    ...{ ok: false, errorClass, message, fingerprint: fingerprint(error) },
    ...(stack ? { stack } : {}),
    ...(retryAfterMs > 0 ? { retryAfterMs } : {}),
    ...(dependency === undefined ? {} : { dependency }),
  };
}
