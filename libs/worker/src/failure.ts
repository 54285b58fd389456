import { createHash } from 'node:crypto';
import { types } from 'node:util';
import type { ErrorClass } from '@tps/contracts';
import { describeThrown, isError, lineage, readSafely, type Thrown } from '@tps/telemetry';

/** The sender's fault: never retried, never counted against the line. */
export class RejectedError extends Error {
  override readonly name = 'RejectedError';
}
/** A programming error or a broken promise of the handler: never retried. */
export class DefectError extends Error {
  override readonly name = 'DefectError';
}
/** A dependency failed: retried by the type's retry policy. Any error that is not classified otherwise counts as transient. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  /** Another attempt within this many milliseconds would fail, too; 0 if unknown. */
  readonly retryAfterMs: number;
  readonly dependency: string | undefined;

  constructor(message?: string, { retryAfterMs = 0, dependency, ...options }: TransientOptions = {}) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
    this.dependency = dependency;
  }
}
export interface TransientOptions extends ErrorOptions {
  retryAfterMs?: number;
  /**
   * The dependency that failed, for a type that works with many of a kind (a host, a tenant's database). The failure
   * counts against the dependency: the line goes on for all others, and stops only when several dependencies fail and
   * nothing succeeds between.
   */
  dependency?: string;
}
/**
 * The handler found no room for this signal: a thread or connection that it needs is taken. The signal goes back to
 * its lane and comes again later. That costs no attempt and is no failure of the line; the signal's own deadline ends it.
 */
export class CapacityError extends Error {
  override readonly name = 'CapacityError';
}
/** The attempt took longer than the type's time-out. */
export class AttemptTimeoutError extends TransientError {
  constructor(limitMs: number) {
    super(`no result within ${limitMs} ms`);
  }
}

/** Everything the fleet keeps of a failed attempt: plain and bounded, whatever the handler threw. */
export interface Failure {
  errorClass: ErrorClass;
  message: string;
  fingerprint: string;
  /** For the log; absent when the sender is at fault. */
  stack?: string;
  retryAfterMs?: number;
  dependency?: string;
}

const MAX_DEPENDENCY = 256;
/** Errors that a correct program does not throw, whatever its dependencies do. */
const PROGRAMMING_ERRORS = [TypeError, ReferenceError, RangeError, SyntaxError, EvalError];

/** Turns anything that a handler may throw into a failure. Never throws itself. */
export function failureOf(thrown: unknown): Failure {
  const described = describeThrown(thrown);
  const errorClass = classify(thrown);
  const { message, stack } = described;
  const failure: Failure = { errorClass, message, fingerprint: fingerprintOf(described) };
  if (stack && errorClass !== 'rejected') failure.stack = stack;
  if (!kindOf(thrown)(TransientError)) return failure;
  const retryAfterMs = readSafely(thrown, 'retryAfterMs');
  const dependency = readSafely(thrown, 'dependency');
  if (typeof retryAfterMs === 'number' && retryAfterMs > 0) failure.retryAfterMs = retryAfterMs;
  if (typeof dependency === 'string') failure.dependency = dependency.slice(0, MAX_DEPENDENCY);
  return failure;
}

/** Tells the error class of a thrown value. Never throws, whatever a handler has thrown. */
export function classify(error: unknown): ErrorClass {
  const isA = kindOf(error);
  if (isA(RejectedError)) return 'rejected';
  if (isA(DefectError)) return 'defect';
  if (isA(CapacityError)) return 'capacity';
  // fetch() reports an unreachable host as a TypeError with a cause.
  if (isA(TypeError) && readSafely(error, 'cause') !== undefined) return 'transient';
  if (PROGRAMMING_ERRORS.some(isA)) return 'defect';
  return isError(error) && readSafely(error, 'name') === 'AssertionError' ? 'defect' : 'transient';
}

/**
 * Equal for errors that have the same cause: name, message with what varies blanked, and the innermost stack frame
 * outside of dependencies.
 */
export function fingerprint(error: unknown): string {
  return fingerprintOf(describeThrown(error));
}

function fingerprintOf({ name, message, stack = '' }: Thrown): string {
  const blanked = message.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+/gi, '#').slice(0, 200);
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const own = frames.find((line) => !/node_modules|node:internal/.test(line)) ?? '';
  const place = own.replace(/^.*[\\/]/, '').replace(/:\d+\)?$/, '');
  return createHash('sha256').update(`${name}|${blanked}|${place}`).digest('hex').slice(0, 16);
}

/** Works like `instanceof`, for any value. A built-in error of another realm (`vm`) is known by its name. */
function kindOf(value: unknown): (type: ErrorType) => boolean {
  const ancestors = lineage(value);
  const foreign = types.isNativeError(value) && !ancestors.includes(Error.prototype);
  const name = foreign ? readSafely(value, 'name') : undefined;
  return (type) => ancestors.includes(type.prototype) || name === type.name;
}

interface ErrorType {
  readonly prototype: Error;
  readonly name: string;
}
