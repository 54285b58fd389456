import { type ErrorClass, MAX_BODY_BYTES, type RetryPolicy } from '@tps/contracts';
import { describeThrown } from '@tps/telemetry';
import type { LazyAbort } from './lazy-abort';
import { exceedsBytes } from './bytes';
import type { HandlerContext, SignalDefinition } from '../definition';
import { AttemptTimeoutError, CapacityError, DefectError, type Failure, failureOf } from '../failure';

/** The result of one attempt. */
export type AttemptResult =
  /** `json`: the result as JSON, made once to check it and used in its outcome; absent for no result. */
  { ok: true; result: unknown; json?: string } | (Failure & { ok: false; overrun?: Promise<unknown> });

/** The signal's own deadline came while its handler ran. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  constructor() {
    super("the signal's timeout_ms ran out while it was being processed");
  }
}

/** The process must end, so the signal goes back to its lane, and this attempt does not count. */
export class ReleasedError extends Error {
  override readonly name = 'ReleasedError';
}

/** A definition whose values are checked, with its defaults filled in. */
export interface CompiledDefinition extends SignalDefinition {
  timeoutMs: number;
  retry: Readonly<RetryPolicy>;
  /** For signals that nobody waits for; absent if the type has a backoff of its own, which holds for all of them. */
  asyncRetry?: Readonly<RetryPolicy>;
  /** Faults of a result by the output schema, or null. */
  checkOutput: (result: unknown) => string | null;
}

/**
 * Runs a handler once. Ends when the handler ends, when the time of the attempt or of the signal is up, or when `abort`
 * is aborted from outside (then it rejects with the ReleasedError given as the reason). Whatever the handler does after
 * that is ignored; `overrun` settles when it has ended.
 *
 * Turns everything that a handler throws or returns into a result, with one exception: a CapacityError is thrown as a
 * new CapacityError, because no attempt was made.
 *
 * A synchronous handler has its result at once: no timer can fire while it runs.
 *
 * @param deadlineMs when the signal's own time is up
 */
export function runAttempt(
  definition: CompiledDefinition,
  input: unknown,
  context: HandlerContext,
  limits: { abort: LazyAbort; deadlineMs: number },
): AttemptResult | Promise<AttemptResult> {
  try {
    const returned = definition.run(input, context);
    if (isPromise(returned)) return outcomeInTime(definition, adopted(returned), limits);
    return succeeded(definition, returned);
  } catch (error) {
    return failed(error);
  }
}

async function outcomeInTime(
  definition: CompiledDefinition,
  handler: Promise<unknown>,
  { abort, deadlineMs }: { abort: LazyAbort; deadlineMs: number },
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
      handler.then(resolve, reject);
    });
    return succeeded(definition, result);
  } catch (error) {
    // A handler may throw the reason of another attempt's abort, so what counts is who ended this one.
    return abort.reason !== undefined && error === abort.reason
      ? endedFromOutside(abort.reason, handler)
      : failed(error);
  } finally {
    clearTimeout(timer);
  }
}

/** @throws ReleasedError */
function endedFromOutside(reason: Error, handler: Promise<unknown>): AttemptResult {
  if (reason instanceof ReleasedError) throw reason;
  const errorClass: ErrorClass = reason instanceof DeadlineError ? 'capacity' : 'transient';
  return { ...failureOf(reason), ok: false, errorClass, overrun: handler };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/** Some thenables repeat their work each time that `then` is called. A promise in between calls it once. */
function adopted(returned: PromiseLike<unknown>): Promise<unknown> {
  return returned instanceof Promise ? returned : new Promise((resolve) => resolve(returned));
}

function succeeded(definition: CompiledDefinition, result: unknown): AttemptResult {
  const { name } = definition;
  let json: string | undefined;
  try {
    const faults = definition.checkOutput(result);
    if (faults) return defect(`result of ${name} breaks its output schema: ${faults}`);
    if (result === undefined) return { ok: true, result };
    json = JSON.stringify(result);
  } catch (error) {
    return defect(`result of ${name} cannot be written as JSON: ${describeThrown(error).message}`);
  }
  if (!json) return { ok: true, result: undefined };
  if (exceedsBytes(json, MAX_BODY_BYTES))
    return defect(`result of ${name} is larger than ${MAX_BODY_BYTES} bytes`);
  return { ok: true, result, json };
}

function defect(message: string): AttemptResult {
  return failed(new DefectError(message));
}

/** @throws CapacityError */
function failed(thrown: unknown): AttemptResult {
  const failure = failureOf(thrown);
  // A new error, because the fields of the handler's error may be of any kind.
  if (failure.errorClass === 'capacity') throw new CapacityError(failure.message);
  return { ...failure, ok: false };
}
